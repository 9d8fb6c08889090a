#!/usr/bin/env bash
# Fuzzes every target, one after the other. FUZZTIME is for each (default 30s); FUZZTOTAL=30 shares out so many seconds among
# all, in place of that. An input that fails is kept in testdata/fuzz beside its test: commit it with what mends it.
set -eu
cd "$(dirname "$0")/.."
binaries=$(mktemp -d)
trap 'rm -rf "$binaries"' EXIT
begin=$SECONDS

# One binary a package, for it takes longer to link one than a target may have.
targets=()
for package in $(grep -rl --include=*_test.go '^func Fuzz' . | xargs -rn1 dirname | sort -u); do
    binary=$binaries/$(echo "$package" | tr / _).test
    go test -c -fuzz=Fuzz -o "$binary" "$package"
    for name in $(cd "$package" && "$binary" -test.list '^Fuzz'); do
        targets+=("$package $binary $name")
    done
done
[ "${#targets[@]}" -gt 0 ] || {
    echo "no fuzz target found" >&2
    exit 1
}

time=${FUZZTIME:-30s}
[ -z "${FUZZTOTAL:-}" ] || time=$((FUZZTOTAL * 1000 / ${#targets[@]}))ms
cache=$(go env GOCACHE)/fuzz
failed=0
printf '%-26s %-20s %10s  %s\n' package target inputs result
for target in "${targets[@]}"; do
    read -r package binary name <<<"$target"
    log=$binaries/log
    result=ok
    (cd "$package" && "$binary" -test.run '^$' -test.fuzz "^$name\$" -test.fuzztime "$time" -test.parallel 2 \
        -test.fuzzcachedir "$cache/$package") >"$log" 2>&1 || result=FAILED
    # Time that is over in the midst of an input is no failure of the target (go.dev/issue/48157): one that fails has an input or a seed.
    if [ "$result" != ok ] && grep -qx ' *context deadline exceeded' "$log" && ! grep -q 'Failing input written\|failure while testing seed' "$log"; then
        result=ok
    fi
    printf '%-26s %-20s %10s  %s\n' "$package" "$name" "$(sed -n 's/.* execs: \([0-9]*\).*/\1/p' "$log" | tail -n 1)" "$result"
    if [ "$result" != ok ]; then
        failed=1
        tail -n 40 "$log"
    fi
done
echo "fuzzed ${#targets[@]} targets for $time each, with building in $((SECONDS - begin)) s"
exit $failed
