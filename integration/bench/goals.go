package main

import "fmt"

// words are a text in the languages of the documents.
type words struct{ en, ja string }

func (w words) in(language string) string {
	if language == "ja" {
		return w.ja
	}
	return w.en
}

func same(text string) words { return words{text, text} }

// row is one row of the table of results: one figure or several that belong together.
type row struct {
	what    words
	figures []figure
}

// figure is one number of the result: that of a case and param, or a further figure of it.
type figure struct {
	name, param string // of the case
	extra       string // "": the case's own figure
	goals       []goal
}

// goal says of what was seen whether it is good enough.
type goal struct {
	text words
	met  func(r reading) (met, known bool)
}

// reading is a figure as it was measured; nil where a side was not.
type reading struct {
	us, asynq, hand *side3
	checked         map[string]counts
}

// side3 is what the runs of one side gave. A further figure has no runs: then all three are the same.
type side3 struct{ middle, least, most float64 }

func atMost(limit float64, text string) goal {
	return goal{same(text), func(r reading) (bool, bool) { return r.us != nil && r.us.middle <= limit, r.us != nil }}
}

func atLeast(limit float64, text words) goal {
	return goal{text, func(r reading) (bool, bool) { return r.us != nil && r.us.middle >= limit, r.us != nil }}
}

func compared(text words, other func(reading) *side3, good func(us, other float64) bool) goal {
	return goal{text, func(r reading) (bool, bool) {
		if o := other(r); r.us != nil && o != nil {
			return good(r.us.middle, o.middle), true
		}
		return false, false
	}}
}

func ofAsynq(r reading) *side3 { return r.asynq }
func ofHand(r reading) *side3  { return r.hand }

func timesAsynq(x float64) goal {
	return compared(same(fmt.Sprintf("≥ %v × Asynq", x)), ofAsynq, func(us, other float64) bool { return us >= x*other })
}

func partOfAsynq(x float64) goal {
	return compared(same(fmt.Sprintf("≤ %v × Asynq", x)), ofAsynq, func(us, other float64) bool { return us <= x*other })
}

func timesHand(x float64) goal {
	return compared(words{fmt.Sprintf("≥ %v × hand", x), fmt.Sprintf("≥ %v × 手書き", x)}, ofHand,
		func(us, other float64) bool { return us >= x*other })
}

// neverEarly is about every single start, not about a median.
var neverEarly = goal{same("0"), func(r reading) (bool, bool) {
	c, known := r.checked[us]
	return known && c.Early == 0 && r.us != nil && r.us.most == 0, known && r.us != nil
}}

const (
	redisCPU    = "Redis CPU (s/100k)"
	workerCPU   = "worker CPU (s/100k)"
	producerCPU = "producer CPU (s/100k)"
	scriptP99   = "script p99 (µs)"
	slowestMS   = "slowest script (ms)"
	gapMS       = "longest time between heartbeats (ms)"
	earlyShare  = "early (%)"
	burst50k    = "50k due at once"
)

// one is a row of a single figure.
func one(what words, name, param string, goals ...goal) row {
	return row{what, []figure{{name: name, param: param, goals: goals}}}
}

// results is the table, in the order of the issue that set the goals.
func results() []row {
	perWorker := words{"≥ 0.9 × per worker until Redis or the cores are full", "Redis かコアが埋まるまで、ワーカーあたり ≥ 0.9 ×"}
	return []row{
		one(words{"enqueue, 1 producer (jobs/s)", "登録、プロデューサー 1（ジョブ/秒）"}, "enqueue", "p=1", timesAsynq(1.2)),
		one(words{"enqueue, 16 producers (jobs/s)", "登録、プロデューサー 16（ジョブ/秒）"}, "enqueue", "p=16", timesAsynq(3)),
		one(words{"enqueue, bulk 100, 16 producers (jobs/s)", "登録、100 件ずつまとめて、プロデューサー 16（ジョブ/秒）"},
			"enqueue", "bulk=100,p=16", timesHand(0.5)),
		one(words{"drain 50k waiting jobs, concurrency 10 (jobs/s)", "待っている 5 万件の消化、並行数 10（ジョブ/秒）"},
			"drain", "c=10", timesAsynq(6)),
		one(words{"drain, concurrency 100 (jobs/s)", "同じ消化、並行数 100（ジョブ/秒）"}, "drain", "c=100", timesAsynq(16)),
		{words{"Redis CPU per 100k drained, concurrency 10 / 100 (s)", "10 万件の消化に使う Redis の CPU、並行数 10 / 100（秒）"}, []figure{
			{"drain", "c=10", redisCPU, []goal{partOfAsynq(0.22)}}, {"drain", "c=100", redisCPU, []goal{partOfAsynq(0.1)}}}},
		one(words{"50k due at one instant: last start after (ms)", "5 万件が同じ瞬間に期限: 最後の開始までの時間（ms）"},
			"burst", burst50k, atMost(1000, "≤ 1,000 ms"), partOfAsynq(0.1)),
		{words{"lateness p50 / p99, 2,000 jobs due at random in 10 s (ms)", "遅れの p50 / p99、10 秒間のばらばらな時刻に期限が来る 2,000 件（ms）"},
			[]figure{{"lateness", "p50", "", []goal{atMost(1.5, "≤ 1.5 ms")}}, {"lateness", "p99", "", []goal{atMost(4, "≤ 4 ms")}}}},
		{words{"starts before the due time (%)", "期限より前に開始した割合（%）"}, []figure{
			{"lateness", "p50", earlyShare, []goal{neverEarly}}}},
		{words{"round trips/s of an idle worker / its CPU (ms/s)", "暇なワーカーの往復（回/秒） / CPU（ms/秒）"}, []figure{
			{"idle", "trips", "", []goal{atMost(1, "≤ 1")}}, {"idle", "cpu", "", []goal{atMost(2, "CPU ≤ 2 ms/s")}}}},
		one(words{"bytes of Redis per scheduled job", "scheduled のジョブ 1 件あたりの Redis のバイト数"}, "memory", "scheduled",
			atMost(320, "≤ 320")),
		{words{"cost of enqueue / claim / settle at 1M scheduled against 10k (×)",
			"scheduled が 100 万件のときの enqueue / claim / settle のコスト、1 万件のときとの比（×）"}, []figure{
			{"scale", "enqueue", "", []goal{atMost(1.3, "≤ 1.3 ×")}}, {"scale", "claim", "", []goal{atMost(1.3, "≤ 1.3 ×")}},
			{"scale", "settle", "", []goal{atMost(1.3, "≤ 1.3 ×")}}}},
		one(words{"HTTP registrations/s against the same router and JWT check without the queue",
			"HTTP 登録（件/秒）。比べる相手は、キューなしの同じルーターと JWT 検査"}, "http", "registrations", timesHand(0.5)),
		{words{"100 idle workers, one job due: claims it costs / its lateness p99 (ms)",
			"暇なワーカー 100、期限の来たジョブ 1 件: かかる claim の数 / 遅れの p99（ms）"}, []figure{
			{"fanout", "claims", "", []goal{atMost(3, "≤ 3")}}, {"fanout", "p99", "", []goal{atMost(10, "≤ 10 ms")}}}},
		{words{"a second, third, fourth worker process on one queue, handlers of 5 ms: speed-up (× per worker)",
			"一つのキューに 2、3、4 個目のワーカープロセス、5 ms のハンドラー: 速度の伸び（ワーカーあたり ×）"}, []figure{
			{"workers", "2", "", []goal{atLeast(0.9, perWorker)}}, {"workers", "3", "", []goal{atLeast(0.9, perWorker)}},
			{"workers", "4", "", []goal{atLeast(0.9, perWorker)}}}},
		threefold(words{"a script holds Redis up, p99: drain 10 / drain 100 / burst (µs)",
			"スクリプトが Redis を占有する時間の p99: 消化 10 / 消化 100 / 一斉期限（µs）"}, scriptP99, atMost(2000, "≤ 2,000 µs")),
		threefold(words{"the longest one by SLOWLOG: drain 10 / drain 100 / burst (ms)",
			"SLOWLOG による最長: 消化 10 / 消化 100 / 一斉期限（ms）"}, slowestMS),
		{words{"longest time between two heartbeats during the burst (ms)", "一斉期限のあいだの、ハートビートの最長の間隔（ms）"},
			[]figure{{"burst", burst50k, gapMS, nil}}},
	}
}

// threefold is a row about the three cases under full load.
func threefold(what words, extra string, goals ...goal) row {
	return row{what, []figure{{"drain", "c=10", extra, goals}, {"drain", "c=100", extra, goals}, {"burst", burst50k, extra, goals}}}
}
