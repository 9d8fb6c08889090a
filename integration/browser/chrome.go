package browser

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// browsers are those that can be used, the first that is found; PUNCTUAL_TEST_BROWSER names others.
func browsers() []string {
	if chosen := strings.Fields(os.Getenv("PUNCTUAL_TEST_BROWSER")); len(chosen) > 0 {
		return chosen
	}
	return []string{"chromium", "google-chrome"}
}

// chromium is the one browser of this test binary: to start it takes longer than most tests.
var chromium struct {
	sync.Once
	ctx context.Context
	end []context.CancelFunc
	err error
}

// browser starts Chromium, or skips the test where there is none; with CI=true that is a failure.
func browser(t testing.TB) context.Context {
	t.Helper()
	program := ""
	for _, name := range browsers() {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	switch {
	case program == "" && os.Getenv("CI") == "true":
		t.Fatalf("needs one of %q: install chromium", browsers())
	case program == "":
		t.Skipf("needs one of %q: install chromium", browsers())
	}
	chromium.Do(func() { chromium.err = launch(program) })
	if chromium.err != nil {
		t.Fatalf("start %s: %v", program, chromium.err)
	}
	return chromium.ctx
}

func launch(program string) error {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("lang", "en-US"))
	ctx, end := chromedp.NewExecAllocator(context.Background(), options...)
	chromium.end = append(chromium.end, end)
	chromium.ctx, end = chromedp.NewContext(ctx)
	chromium.end = append(chromium.end, end)
	return chromedp.Do(chromium.ctx)
}

// closeBrowser ends what browser began.
func closeBrowser() {
	if chromium.ctx != nil && chromium.err == nil {
		_ = chromedp.Cancel(chromium.ctx) // it waits until the browser has closed
	}
	for _, end := range chromium.end {
		end()
	}
}
