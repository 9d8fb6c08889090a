package redistest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	moby "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
)

// image is what containers are made from: PUNCTUAL_TEST_REDIS_IMAGE, if that is set.
var image = cmp.Or(os.Getenv("PUNCTUAL_TEST_REDIS_IMAGE"), "redis:7-alpine")

const (
	// lifetime ends a container whose test binary was killed together with its leash.
	lifetime = 20 * time.Minute
	// provide bounds the pull of the image.
	provide = time.Minute
	// label marks the containers of one test binary; its value is session.
	label = "punctual.redistest"
)

var session = sync.OnceValue(func() string {
	return fmt.Sprintf("%d-%d", os.Getpid(), time.Now().UnixNano())
})

// engineClient connects to the Docker engine. The reaper image of testcontainers is not
// needed: leash and lifetime bound every container, and one image less has to be pulled.
var engineClient = sync.OnceValues(func() (*testcontainers.DockerClient, error) {
	if _, set := os.LookupEnv("TESTCONTAINERS_RYUK_DISABLED"); !set {
		_ = os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
	}
	log.SetDefault(log.NewNoopLogger())
	ctx, cancel := context.WithTimeout(context.Background(), operation)
	defer cancel()
	c, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return nil, err
	}
	if host := c.DaemonHost(); !strings.HasPrefix(host, "unix://") {
		return nil, fmt.Errorf("the engine at %s publishes ports on its own machine, not on 127.0.0.1", host)
	}
	_, err = c.Ping(ctx, client.PingOptions{})
	return c, err
})

// dockerWorks is nil if an engine answers and has the image, or can pull it within a minute.
func dockerWorks() error {
	c, err := engineClient()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), provide)
	defer cancel()
	if _, err := c.ImageInspect(ctx, image); err == nil {
		return nil
	}
	pull, err := c.ImagePull(ctx, image, client.ImagePullOptions{})
	if err != nil {
		return fmt.Errorf("pull %s: %w", image, err)
	}
	defer pull.Close()
	return pull.Wait(ctx)
}

// container is a Redis in a container of its own, published on port.
type container struct {
	port int
	args []string
	keep bool // keep the data between stop and start

	ctr *testcontainers.DockerContainer
}

func (c *container) start(ctx context.Context) error {
	if err := c.run(ctx); err != nil {
		return err
	}
	err := poll(ctx, func() error {
		_, err := answers(c.port)
		return errors.Join(err, c.alive(ctx, err))
	})
	if err != nil {
		return fmt.Errorf("%w; its log ends:\n%s", err, c.logTail())
	}
	return nil
}

func (c *container) run(ctx context.Context) error {
	if c.ctr != nil {
		return c.ctr.Start(ctx)
	}
	leash()
	// The image may be a plain one without an entry point, so the whole command is given.
	// busybox' timeout runs redis-server as process 1: docker stop reaches it.
	cmd := []string{"timeout", strconv.Itoa(int(lifetime.Seconds())), "redis-server", "--dir", "/data", "--protected-mode", "no"}
	cmd = append(append(cmd, persistence(c.keep)...), c.args...)
	port := network.MustParsePort("6379/tcp")
	ctr, err := testcontainers.Run(ctx, image,
		testcontainers.WithCmd(cmd...),
		testcontainers.WithExposedPorts(port.String()),
		testcontainers.WithLabels(map[string]string{label: session()}),
		testcontainers.WithHostConfigModifier(func(h *moby.HostConfig) {
			h.AutoRemove = !c.keep
			h.PortBindings = network.PortMap{port: {{
				HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: strconv.Itoa(c.port),
			}}}
		}))
	c.ctr = ctr
	return err
}

// alive ends a wait for a Redis that has given up: it is asked only while Redis is silent.
func (c *container) alive(ctx context.Context, silence error) error {
	if silence == nil {
		return nil
	}
	state, err := c.ctr.State(ctx)
	if err == nil && !state.Running {
		err = permanent{fmt.Errorf("the container ended with status %d", state.ExitCode)}
	}
	return err
}

func (c *container) logTail() string {
	logs, err := c.ctr.Logs(context.Background())
	if err != nil {
		return err.Error()
	}
	defer logs.Close()
	text, _ := io.ReadAll(io.LimitReader(logs, 1<<20))
	return tail(text)
}

func (c *container) stop(ctx context.Context) error { return c.ctr.Stop(ctx, nil) }

func (c *container) kill(ctx context.Context) error {
	d, err := engineClient()
	if err != nil {
		return err
	}
	if _, err := d.ContainerKill(ctx, c.ctr.ID, client.ContainerKillOptions{Signal: "KILL"}); err != nil {
		return err
	}
	gone := d.ContainerWait(ctx, c.ctr.ID, client.ContainerWaitOptions{Condition: moby.WaitConditionNotRunning})
	select {
	case <-gone.Result:
		return nil
	case err := <-gone.Error:
		return err
	}
}

func (c *container) pause(ctx context.Context) error {
	d, err := engineClient()
	if err == nil {
		_, err = d.ContainerPause(ctx, c.ctr.ID, client.ContainerPauseOptions{})
	}
	return err
}

func (c *container) resume(ctx context.Context) error {
	d, err := engineClient()
	if err == nil {
		_, err = d.ContainerUnpause(ctx, c.ctr.ID, client.ContainerUnpauseOptions{})
	}
	return err
}

func (c *container) remove() {
	if d, err := engineClient(); err == nil && c.ctr != nil {
		_, _ = d.ContainerRemove(context.Background(), c.ctr.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	}
}

func (c *container) pid() int { return 0 }

// leash removes the containers of this process as soon as it ends, however it ends: a shell
// waits for the end of a pipe that only this process holds open.
var leash = sync.OnceFunc(func() {
	d, err := engineClient()
	if err != nil {
		return
	}
	cmd := exec.Command("sh", "-c", `trap '' INT TERM HUP
read -r _
ids=$(docker ps -aq --filter "label=$1") && [ -z "$ids" ] || docker rm -fv $ids`, "sh", label+"="+session())
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+d.DaemonHost())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // survives what kills our group
	if leashEnd, err = cmd.StdinPipe(); err == nil {
		_ = cmd.Start() // without it lifetime still ends them
	}
})

// leashEnd is referenced for ever: collected as garbage, the pipe would be closed.
var leashEnd io.WriteCloser
