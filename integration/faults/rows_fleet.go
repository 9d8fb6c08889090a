package faults

var fleetRows = map[string]func(*Run){}
