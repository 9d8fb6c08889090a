package queue_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// rigAs is a rig whose client is a user of its own, with the rights that the rules of an ACL give.
func rigAs(t testing.TB, s *redistest.Server, rules ...string) *rig {
	t.Helper()
	args := []any{"ACL", "SETUSER", "someone", "reset", "on", ">secret"}
	for _, rule := range rules {
		args = append(args, rule)
	}
	if err := s.Client().Do(t.Context(), args...).Err(); err != nil {
		t.Fatal(err)
	}
	return rigAt(t, s, "redis://someone:secret@"+s.Addr(), queue.Options{Timeout: bound})
}

// least are the rules of a user who may do what this package needs, but one command if it is named.
func least(but string) []string {
	rules := []string{"~punctual:*"}
	for _, command := range queue.RedisCommands() {
		if command != but {
			rules = append(rules, "+"+command)
		}
	}
	return rules
}

// forPeople are scripts that only an audit and Forget run.
var forPeople = []string{"audit", "forget", "repair", "tidy"}

// scripted commands are those that stand in the Lua files: read here once more, and more roughly.
func scriptedCommands(t testing.TB) (all []string) {
	t.Helper()
	for name, text := range luaSources(t) {
		if slices.Contains(forPeople, name) {
			continue
		}
		for _, part := range strings.Split(text, "call('")[1:] {
			all = append(all, part[:strings.IndexByte(part, '\'')])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func expectNotPermitted(r *rig, what string, err error, command string) {
	r.Helper()
	if !errors.Is(err, queue.ErrUnavailable) || errors.Is(err, queue.ErrOutcomeUnknown) || !strings.Contains(err.Error(), command+" on ") {
		r.Errorf("%s without %s: %v, want an error that names it", what, command, err)
	}
}

// A user who lacks any one command of any script is refused before his first move, with nothing changed.
func TestEachCommandThatIsNotPermitted(t *testing.T) {
	s := redistest.Own(t)
	commands := scriptedCommands(t)
	if len(commands) < 20 || !slices.Contains(commands, "RPUSH") {
		t.Fatalf("only %v", commands)
	}
	enqueueNeeds := luaSources(t)["enqueue"]
	for _, command := range commands {
		t.Run(command, func(t *testing.T) {
			admin := rigOn(t, s, queue.Options{Timeout: bound})
			r := rigAs(t, s, least(strings.ToLower(command))...)
			_ = r.link.Close()
			r.name = admin.name
			var err error
			if r.link, err = r.client.Link(r.name); err != nil {
				t.Fatal(err)
			}
			busy(admin)
			admin.kill("w")
			before := r.everything()
			_, err = r.beat("new", true)
			expectNotPermitted(r, "register", err, command)
			_, err = r.client.Reap(t.Context(), r.name, "w")
			expectNotPermitted(r, "reap", err, command)
			_, err = r.client.Cancel(t.Context(), r.name, "x")
			expectUnavailable(t, "cancel", err) // it may fail at what it reads, before it comes to its script
			_, err = r.client.Pause(t.Context(), r.name)
			expectUnavailable(t, "pause", err)
			expectUnavailable(t, "quiet", r.client.Quiet(t.Context(), "w"))
			_, err = r.client.RedriveAll(t.Context(), r.name, queue.Filter{})
			expectUnavailable(t, "redrive", err)
			r.unchanged(before)
			problems := r.client.Health(t.Context())
			equal(t, "health", codes(problems), "redis-not-permitted")
			equal(t, "names it", strings.Contains(problems[0].Reason, command), true)
			_, err = r.client.Enqueue(t.Context(), queue.NewJob{Queue: r.name, Delay: time.Hour})
			if command == "SADD" { // no script of its: the queue could not become known
				equal(t, "enqueue", errors.Is(err, queue.ErrUnavailable), true)
				r.unchanged(before)
			} else if strings.Contains(enqueueNeeds, "'"+command+"'") {
				expectNotPermitted(r, "enqueue", err, command)
				r.unchanged(before)
			} else if err != nil {
				t.Errorf("enqueue does not need %s, and yet: %v", command, err)
			}
			s.Client().Do(t.Context(), "ACL", "SETUSER", "someone", "+"+strings.ToLower(command))
			if _, err := r.beat("new", true); err != nil {
				t.Errorf("once it is permitted: %v", err)
			}
			equal(t, "health", codes(r.client.Health(t.Context())), "")
		})
	}
}

// What RedisCommands names is enough for everything.
func TestTheLeastPermissions(t *testing.T) {
	s := redistest.Own(t)
	for _, scenario := range scenarios {
		t.Run(scenario.name, func(t *testing.T) {
			r := rigAs(t, s, least("")...)
			scenario.prepare(r)
			scenario.act(r, false)
			equal(t, "health", codes(r.client.Health(t.Context())), "")
		})
	}
}

// Commands that only Go sends: who lacks one is told so by the call that needs it, and nothing changes.
func TestEachCommandIsNeeded(t *testing.T) {
	s := redistest.Own(t)
	scripted := scriptedCommands(t)
	for _, command := range queue.RedisCommands() {
		if slices.Contains(scripted, strings.ToUpper(command)) {
			continue
		}
		r := rigAs(t, s, least(command)...)
		_, queues := r.client.Queues(t.Context())
		_, register := r.beat("w", true)
		_, waited := r.link.Wait(t.Context(), time.Millisecond)
		r.forgetScripts()
		_, get := r.client.Get(t.Context(), r.name, "x")
		if errors.Is(get, queue.ErrNotFound) {
			get = nil
		}
		_, workers := r.link.Workers(t.Context())
		known := error(nil)
		if !s.Client().SIsMember(t.Context(), "punctual:queues", r.name).Val() {
			known = errors.New("its queue is not known")
		}
		info := error(nil)
		if command == "info" { // without it Health knows less, and says nothing wrong
			info = errors.New(command)
		}
		if command == "ping" { // sent after a failure, and any answer will do
			info = errors.New(command)
		}
		if errors.Join(queues, register, waited, get, workers, known, info) == nil {
			t.Errorf("%s is not needed by anything here", command)
		}
	}
}

// Rights on keys count as those on commands do.
func TestKeysThatAreNotPermitted(t *testing.T) {
	s := redistest.Own(t)
	for rule, want := range map[string]string{
		"~*": "", "~punctual:*": "", "~other:*": "redis-not-permitted", "%R~punctual:*": "redis-not-permitted",
	} {
		r := rigAs(t, s, "+@all", rule)
		_, err := r.beat("w", true)
		equal(t, rule, err == nil, want == "")
		equal(t, rule, codes(r.client.Health(t.Context())), want)
	}
}

// One queue that is not permitted does not hinder the others.
func TestOneQueueThatIsNotPermitted(t *testing.T) {
	s := redistest.Own(t)
	r := rigAs(t, s, "+@all", "~punctual:queues", "~punctual:{yes}:*")
	done, err := r.client.EnqueueMany(t.Context(), []queue.NewJob{{Queue: "yes"}, {Queue: "no"}, {Queue: "yes"}})
	if len(done) != 3 || done[0].Err != nil || done[2].Err != nil {
		t.Errorf("%+v", done)
	}
	expectUnavailable(t, "no", err)
}

// Why permissions are asked for beforehand: Redis does not roll back. A right that is taken away while a worker runs costs
// the job its place; this is the one half move that is left, and Architecture.md says so.
func TestARightThatIsTakenAwayMeanwhile(t *testing.T) {
	s := redistest.Own(t)
	r := rigAs(t, s, least("")...)
	r.register("w")
	id := r.putNow(1)[0]
	s.Client().Do(t.Context(), "ACL", "SETUSER", "someone", "-rpush")
	expectUnavailable(t, "claim", r.exchange("w", 1).ClaimErr)
	equal(t, "places", r.do("ZCARD", k("scheduled")), any(int64(0)))
	r.do("ZADD", k("scheduled"), 1000, id)
}
