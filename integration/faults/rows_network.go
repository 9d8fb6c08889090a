package faults

var networkRows = map[string]func(*Run){}
