package main

type machine struct{}

func thisMachine() machine                           { return machine{} }
func report(string, machine, []line) ([]byte, error) { return nil, nil }
