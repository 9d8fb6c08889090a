package faults

var topologyRows = map[string]func(*Run){}
