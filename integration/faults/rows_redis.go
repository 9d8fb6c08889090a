package faults

var redisRows = map[string]func(*Run){}
