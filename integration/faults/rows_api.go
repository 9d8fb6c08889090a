package faults

var apiRows = map[string]func(*Run){}
