package queue_test

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

func (r *rig) keysInUse(most int) (keys []queue.KeyInUse, more bool) {
	r.Helper()
	keys, more, err := r.client.KeysInUse(r.Context(), r.name, most)
	if err != nil {
		r.Fatal(err)
	}
	return keys, more
}

// typed is what Redis answers to a line for a shell.
func (r *rig) typed(line string) any {
	r.Helper()
	words, err := exec.Command("sh", "-c", "printf '%s\\n' "+line).Output()
	if err != nil {
		r.Fatal(err)
	}
	var args []any
	for word := range strings.Lines(string(words)) {
		args = append(args, strings.TrimSuffix(word, "\n"))
	}
	answer, err := r.raw.Do(r.Context(), args...).Result()
	if err != nil {
		r.Errorf("%s: %v", line, err)
	}
	return answer
}

// The lines that show a job are answered, whatever its state, and the first shows its record.
func TestReadCommands(t *testing.T) {
	r := newRig(t)
	scattered(r)
	for _, id := range []string{"waits", "runs", "dead000"} {
		lines := queue.ReadCommands(r.get(id))
		if len(lines) < 2 {
			t.Errorf("%s: %q", id, lines)
		}
		for i, line := range lines {
			if answer := fmt.Sprint(r.typed(line)); i == 0 && !strings.HasPrefix(answer, "{") || answer == "[]" {
				t.Errorf("%s answers %s", line, answer)
			}
		}
	}
}

// All keys of a busy queue are listed, each with what it is and how to read it, and nothing is changed.
func TestKeysInUse(t *testing.T) {
	r := newRig(t)
	equal(t, "keys that nobody can explain", queue.KeysWithoutMeaning(), nil)
	none, more := r.keysInUse(10)
	equal(t, "before", len(none) == 0 && !more, true)
	scattered(r)
	healthy(r)
	equal(t, "record", r.record(queue.Deed{Verb: "run"}), nil)
	_, _ = r.client.Cancel(t.Context(), r.name, "held")
	before := r.everything()
	keys, more := r.keysInUse(10)
	r.unchanged(before)
	equal(t, "more", more, false)
	var names []string
	for _, key := range keys {
		names = append(names, strings.TrimPrefix(key.Key, r.key("")))
		if key.What == "" || key.Size < 1 || !strings.Contains(key.Read, "'"+key.Key+"'") {
			t.Errorf("%+v", key)
		}
		equal(t, key.Key, r.raw.Type(t.Context(), key.Key).Val(), key.Type)
		r.typed(key.Read)
	}
	var want []string
	for name := range before {
		want = append(want, name)
	}
	slices.Sort(want)
	equal(t, "keys", names, want)
}

// What there is of each worker and each request is bounded.
func TestKeysInUseAreBounded(t *testing.T) {
	r := newRig(t)
	for i := range 5 {
		r.register(fmt.Sprint("w'", i))
		r.put(queue.NewJob{Delay: time.Hour, Unique: &queue.Unique{Key: fmt.Sprint(i), For: time.Hour}, Idempotency: &queue.Idempotency{Key: fmt.Sprint(i)}})
	}
	for most, want := range map[int]int{1: 3, 4: 12, 5: 15, 9: 15} {
		keys, more := r.keysInUse(most)
		n := 0
		for _, key := range keys {
			if key.Type == "string" {
				n++
			}
		}
		equal(t, fmt.Sprint("strings, most ", most), n, want)
		equal(t, fmt.Sprint("more, most ", most), more, most < 5)
	}
}

// A user who may not SCAN is told of all but the keys of requests; one key of a wrong type hides no other.
func TestKeysInUseThatCannotBeSeen(t *testing.T) {
	r := rigAs(t, redistest.Own(t), least("")...)
	r.put(queue.NewJob{Delay: time.Hour, Idempotency: &queue.Idempotency{Key: "1"}})
	r.raw.Set(t.Context(), r.key("dead"), "x", 0)
	defer r.raw.Del(t.Context(), r.key("dead"))
	found := map[string]queue.KeyInUse{}
	keys, _ := r.keysInUse(10)
	for _, key := range keys {
		found[strings.TrimPrefix(key.Key, r.key(""))] = key
	}
	for _, key := range []string{"jobs", "scheduled", "wake", "stats", "meta"} {
		equal(t, key, found[key].Size > 0, true)
	}
	equal(t, "of a wrong type", strings.Contains(found["dead"].What, "audit"), true)
	if _, _, err := r.client.KeysInUse(t.Context(), "No Queue", 1); err == nil {
		t.Error("a name that no queue can have")
	}
}
