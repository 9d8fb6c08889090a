package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/punctualq/punctual/api"
	"github.com/punctualq/punctual/cmd/internal/devredis"
	"github.com/punctualq/punctual/cmd/internal/settings"
	"github.com/punctualq/punctual/queue"
)

// look is a first look: a Redis, the API and a worker in this process.
type look struct {
	*process
	redis *devredis.Server // nil: REDIS_URL names one
	base  string           // of the API's URLs
	queue string           // where the demonstration takes place
	token string
}

// dev starts everything for a first look, shows one job, and goes on until ctx ends.
func dev(ctx context.Context, p *process) error {
	if p.settings.Env != settings.Develop {
		return badSetting{fmt.Errorf("APP_ENV is %s: a first look is for APP_ENV=develop; elsewhere start server and jobqueue", p.settings.Env)}
	}
	l, err := listen("HTTP_ADDR", p.settings.HTTPAddr)
	if err != nil {
		return err
	}
	defer l.Close()
	token, err := p.newToken(api.TokenClaims{Subject: "dev", Scopes: api.Scopes()})
	if err != nil {
		return badSetting{err}
	}
	d := &look{process: p, base: "http://" + reachable(l.Addr().(*net.TCPAddr)), queue: p.demoQueue(), token: token}
	p.say("Punctual: a first look. Ctrl+C ends it.\n")
	if err := d.findRedis(ctx); err != nil {
		return err
	}
	if d.redis != nil {
		defer d.redis.Stop()
	}
	err = d.run(ctx, l)
	if err == nil {
		p.say("\nStopped.")
	}
	return err
}

func (d *look) run(ctx context.Context, l net.Listener) error {
	q, err := d.open(ctx)
	if err != nil {
		return err
	}
	defer q.Close()
	w, err := d.newWorker(q)
	if err != nil {
		return err
	}
	d.say("  API      %s", d.base)
	if d.settings.UI != "off" {
		d.say("  UI       %s/ui", d.base)
	}
	d.say("  worker   serves %s (queue:jobs at a time)\n", d.queueList())
	parts := []func(context.Context) error{
		func(ctx context.Context) error { return d.serveAPI(ctx, l, q) },
		w.Run,
		func(ctx context.Context) error { return d.show(ctx, q) },
	}
	if d.redis != nil {
		parts = append(parts, d.redis.Watch)
	}
	return together(ctx, parts...)
}

// findRedis takes the Redis of REDIS_URL; if that is not set, it starts one.
func (d *look) findRedis(ctx context.Context) error {
	if d.settings.Given("REDIS_URL") {
		d.say("  Redis    %s, from REDIS_URL", d.settings.RedisHost)
		return nil
	}
	r, err := devredis.Start(ctx)
	if err != nil {
		return err
	}
	d.redis = r
	d.settings.RedisURL, d.settings.RedisHost = settings.Secret(r.URL()), r.Addr
	if r.Embedded {
		d.say("  Redis    the embedded one on %s, since %s; it forgets everything at exit", r.Addr, r.Why)
	} else {
		d.say("  Redis    a private redis-server on %s; it forgets everything at exit", r.Addr)
	}
	return nil
}

// show registers a job over HTTP, waits until it has run, tells how to go on, and then waits for the end.
func (d *look) show(ctx context.Context, q *queue.Client) error {
	id, err := d.register(ctx, "Hello, World!", 3)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	info, err := q.Get(ctx, d.queue, id)
	if err == nil && !info.Due.IsZero() {
		d.say("Registered job %s over HTTP. It is due in 3 s, at %s:", id, info.Due.Format("15:04:05.000"))
	} else {
		d.say("Registered job %s over HTTP. It is due in 3 s:", id)
	}
	if err := awaitDone(ctx, q, d.queue, id); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	d.explain()
	<-ctx.Done()
	return nil
}

// awaitDone returns when a job has run: nothing is left of it then.
func awaitDone(ctx context.Context, q *queue.Client, name, id string) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		info, err := q.Get(ctx, name, id)
		switch {
		case errors.Is(err, queue.ErrNotFound):
			return nil
		case err == nil && info.State == queue.Dead && len(info.Failures) > 0:
			return fmt.Errorf("job %s failed: %s", id, info.Failures[0].Error)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// explain tells how to register a job and how to look at what waits.
func (d *look) explain() {
	d.say("\nRegister one yourself (the token is good for 24 hours):\n\n%s\n", d.curl())
	redis := `redis-cli -u "$REDIS_URL"`
	if d.redis != nil {
		_, port, _ := net.SplitHostPort(d.redis.Addr)
		redis = "redis-cli -p " + port
	}
	d.say("What waits, by due time in ms; one job as JSON; one line per living worker:\n")
	d.say("%s ZRANGE 'punctual:{%s}:scheduled' 0 -1 WITHSCORES", redis, d.queue)
	d.say("%s HGET 'punctual:{%s}:jobs' <id>", redis, d.queue)
	d.say("%s KEYS 'punctual:*:heartbeat:*'\n", redis)
}

// demoQueue is a queue that the worker serves: default if it is among them.
func (p *process) demoQueue() string {
	for _, q := range p.settings.Queues {
		if q.Queue == queue.DefaultQueue {
			return q.Queue
		}
	}
	return p.settings.Queues[0].Queue
}

// say writes a line for the person in front of the terminal.
func (p *process) say(format string, args ...any) { fmt.Fprintf(p.stderr, format+"\n", args...) }

// reachable is where a client on this machine finds a listener.
func reachable(addr *net.TCPAddr) string {
	if addr.IP.IsUnspecified() {
		return fmt.Sprintf("127.0.0.1:%d", addr.Port)
	}
	return addr.String()
}
