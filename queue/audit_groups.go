package queue

import (
	"context"
	"fmt"
)

// walkGroups looks at the groups of the dead, and whether there are as many dead jobs as they say. There may be more: not all are in
// a group.
func (a *auditor) walkGroups(ctx context.Context) error {
	words, err := a.ask(ctx, groupsCall(a.keys))
	if err != nil {
		return err
	}
	dead, kept, err := groupsOf(words)
	if err != nil {
		return err
	}
	grouped := 0
	for id, text := range kept {
		g, ok := readGroup(id, text)
		if grouped += g.Jobs; !ok {
			a.find(Finding{Code: "group-malformed", Key: a.keys.groups(), ID: id, subject: id, value: text,
				Detail: fmt.Sprintf("%q is no group of dead jobs: those that were in it are in none", clip(text))})
		}
	}
	if grouped > dead {
		a.find(Finding{Code: "groups-differ", Key: a.keys.groups(), unfixable: dead > 0,
			Detail: fmt.Sprintf("%d jobs are said to be in groups of the dead, and %d are dead", grouped, dead)})
	}
	return nil
}
