package ui

import "testing"

func TestViews(t *testing.T) { parseViews() }
