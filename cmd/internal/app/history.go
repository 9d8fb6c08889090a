package app

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"

	"github.com/punctualq/punctual/queue"
)

// keepHistory opens the history that PUNCTUAL_HISTORY names. It is never closed: what was written is in the file, even if
// this process is killed.
func (p *process) keepHistory() error {
	if p.settings.History == "" {
		return nil
	}
	f, err := os.OpenFile(p.settings.History, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := endLine(f); err != nil {
		return err
	}
	proc := fmt.Sprintf("%s:%d:%s", filepath.Base(os.Args[0]), os.Getpid(), rand.Text()[:8])
	p.history = queue.HistoryTo(f, proc, func(err error) {
		p.log.Fatal().Err(err).Msg("the history cannot be written; with a hole it would prove nothing")
	})
	return nil
}

// endLine ends the last line if whoever wrote it was killed in its middle.
func endLine(f *os.File) error {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, info.Size()-1); err != nil {
		return err
	}
	if last[0] != '\n' {
		_, err = f.Write([]byte{'\n'})
	}
	return err
}
