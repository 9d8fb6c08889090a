package faults

var workerRows = map[string]func(*Run){}
