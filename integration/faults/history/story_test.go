package history

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/punctualq/punctual/queue"
)

// story writes a history by hand. Each event takes 1 ms, by the clocks of the machine and of Redis; wait lets more pass.
type story struct {
	now   int64 // ms
	procs map[string][]*Event
	names []string
}

// epoch is what the clock of Redis shows when that of the machine shows 0.
const epoch = 1_700_000_000_000

func newStory() *story { return &story{procs: map[string][]*Event{}} }

func (s *story) history() History {
	var procs [][]*Event
	for _, name := range s.names {
		procs = append(procs, s.procs[name])
	}
	return Of(procs...)
}

func (s *story) wait(ms int64) { s.now += ms }

// redis is the time of Redis.
func (s *story) redis() int64 { return epoch + s.now }

func (s *story) write(proc string, e Event) *Event {
	s.now++
	if s.procs[proc] == nil {
		s.names = append(s.names, proc)
	}
	e.Seq, e.Proc, e.MonoNS, e.Queue = int64(len(s.procs[proc])+1), proc, s.now*int64(time.Millisecond), "q"
	s.procs[proc] = append(s.procs[proc], &e)
	return &e
}

// ask writes that something was sent; answer, that it was answered.
func (s *story) ask(proc string, e Event) {
	e.Res = queue.ResInvoke
	s.write(proc, e)
}

func (s *story) answer(proc string, res queue.Res, e Event) *Event {
	e.Res = res
	if res == queue.ResOK {
		e.RedisMS = s.redis()
	}
	return s.write(proc, e)
}

func (s *story) enqueue(id string, delay int64) {
	s.ask("api", Event{Op: queue.OpEnqueue, ID: id, DelayMS: delay})
	s.answer("api", queue.ResOK, Event{Op: queue.OpEnqueue, ID: id, DelayMS: delay, DueMS: s.redis() + delay})
}

// deed is something that people do to a job; due is for a reschedule, mode for a purge.
func (s *story) deed(op queue.Op, res queue.Res, mode string, due int64) {
	s.ask("api", Event{Op: op, ID: "x", Mode: mode})
	s.answer("api", res, Event{Op: op, ID: "x", Mode: mode, DueMS: due})
}

func (s *story) beat(worker, mode string) {
	s.ask("p"+worker, Event{Op: queue.OpHeartbeat, Worker: worker, Mode: mode})
	s.answer("p"+worker, queue.ResOK, Event{Op: queue.OpHeartbeat, Worker: worker, Mode: mode})
}

// claims is one claim call that takes one job.
func (s *story) claim(worker string, number int64, id string, attempt int, due int64) string {
	s.ask("p"+worker, Event{Op: queue.OpClaim, Worker: worker, Number: number, Count: 1})
	s.answer("p"+worker, queue.ResOK, Event{Op: queue.OpClaim, Worker: worker, Number: number, Count: 1})
	return s.claimed(worker, number, id, attempt, due)
}

func (s *story) claimed(worker string, number int64, id string, attempt int, due int64) string {
	element := strconv.FormatInt(number, 10) + ":" + id
	s.answer("p"+worker, queue.ResOK, Event{Op: queue.OpClaim, Worker: worker, Number: number, ID: id, Element: element, Attempt: attempt,
		MaxRetry: 3, DueMS: due})
	return element
}

func (s *story) start(worker, element string) { s.handler(worker, element, queue.OpStart) }
func (s *story) end(worker, element string)   { s.handler(worker, element, queue.OpEnd) }

func (s *story) handler(worker, element string, op queue.Op) {
	var number int64
	var id string
	_, _ = fmt.Sscanf(element, "%d:%s", &number, &id)
	s.write("p"+worker, Event{Op: op, Res: queue.ResOK, Worker: worker, Element: element, ID: id, Number: number})
}

func (s *story) run(worker, element string) {
	s.start(worker, element)
	s.end(worker, element)
}

// settle reports a result, and returns the answer, whose time is that of Redis.
func (s *story) settle(worker, element string, wanted, answer queue.Outcome) *Event {
	return s.settleRes(worker, element, wanted, queue.ResOK, answer)
}

func (s *story) settleRes(worker, element string, wanted queue.Outcome, res queue.Res, answer queue.Outcome) *Event {
	var number int64
	var id string
	_, _ = fmt.Sscanf(element, "%d:%s", &number, &id)
	e := Event{Op: queue.OpSettle, Worker: worker, Element: element, ID: id, Outcome: wanted}
	s.ask("p"+worker, e)
	e.Outcome = answer
	return s.answer("p"+worker, res, e)
}

// renamed: a worker that has taken a new id reports a result of a claim it made before.
func (s *story) renamed(worker, element string, answer queue.Outcome) {
	_, id, _ := strings.Cut(element, ":")
	e := Event{Op: queue.OpSettle, Worker: worker + "2", Element: element, ID: id, Outcome: queue.OutcomeDone}
	s.ask("p"+worker, e)
	e.Outcome = answer
	s.answer("p"+worker, queue.ResOK, e)
}

func (s *story) reap(by, victim, verdict string) {
	s.ask(by, Event{Op: queue.OpReap, Worker: victim})
	s.answer(by, queue.ResOK, Event{Op: queue.OpReap, Worker: victim, Outcome: queue.Outcome(verdict)}).RedisMS = 0
}

// living has the API process observe for so long.
func (s *story) living(ms int64) {
	for end := s.now + ms; s.now < end; s.wait(98) {
		s.ask("api", Event{Op: queue.OpObserve})
		s.answer("api", queue.ResOK, Event{Op: queue.OpObserve})
	}
}
