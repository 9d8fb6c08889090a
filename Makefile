.PHONY: help run test fuzz mutants matrix bench vet fmt

# For a first look from an empty build cache: without optimization, debug data and C. 39 s in place of 66 s on two cores.
QUICK_BUILD = CGO_ENABLED=0 go build -buildvcs=false -ldflags='-s -w' -gcflags='all=-N -l -dwarf=false'

help: ## list these commands
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

run: ## start everything for a first look: Redis, API, worker, one job
	@echo "building (the first time may take a minute) ..." >&2
	@$(QUICK_BUILD) -o bin/punctual ./cmd/punctual && exec bin/punctual dev

test: ## all tests (make test ARGS='-run TestName ./queue')
	@./scripts/test.sh $(ARGS)

fuzz: ## fuzz every target for 30 s (make fuzz FUZZTIME=10m)
	@FUZZTIME=$(FUZZTIME) ./scripts/fuzz.sh

mutants: ## put deliberate bugs into the code and see each caught by the tests (make mutants ARGS='-only wake')
	@go run -tags mutants ./integration/mutants $(ARGS)

matrix: ## the tests of every Redis and Valkey that can be had (REDIS_SERVERS="path path")
	@./scripts/matrix.sh

bench: ## compare with Asynq and with the limit on an idle machine; writes docs/en/Benchmarks.md and its ja twin
	@cd integration/bench && go run . -docs ../../docs

vet: ## look for mistakes that compile
	@go vet ./...

fmt: ## format the Go files
	@gofmt -l -w .
