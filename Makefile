.PHONY: help run test fuzz browser mutants matrix faults soak bench screenshots vet fmt

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

browser: ## test the dashboard in a real browser (chromium or google-chrome)
	@cd integration/browser && go vet ./... && go test -count=1 -timeout 10m -parallel 4 .

SCALE ?= quick
SEED ?= 0
DURATION ?= 1h
AT_ONCE = $(if $(filter full,$(SCALE)),3,6)

faults: ## the fault matrix (make faults ROWS="R1 R5" SCALE=full SEED=7); all rows of SCALE=full write docs/en/Faults.md and its ja twin
	@cd integration/faults && go test -count=1 -v -timeout 4h -parallel $(AT_ONCE) -run '^TestFaults$$' . \
		-args -rows "$(ROWS)" -scale $(SCALE) -seed $(SEED) -docs ../../docs

soak: ## random faults under load (make soak DURATION=1h SEED=7); an hour or more is kept in docs/en/Soak.json
	@cd integration/faults && go test -count=1 -v -timeout 0 -run '^TestSoak$$' . -args -soak $(DURATION) -seed $(SEED) -docs ../../docs

bench: ## compare with Asynq and with the limit on an idle machine; writes docs/en/Benchmarks.md and its ja twin
	@cd integration/bench && go run . -docs ../../docs

screenshots: ## start all with jobs of every kind, and take pictures of the dashboard into docs/images/ui
	@mkdir -p docs/images/ui && cd integration/browser && go test -count=1 -v -timeout 10m -run '^TestPictures$$' . -args -pictures ../../docs/images/ui

vet: ## look for mistakes that compile
	@go vet ./...

fmt: ## format the Go files
	@gofmt -l -w .
