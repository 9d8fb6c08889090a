package faults

var jobRows = map[string]func(*Run){}
