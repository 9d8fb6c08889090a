// Package browser tests the dashboard as people meet it: in Chromium, with the real programs, on a real Redis. What a page did is
// read back from Redis through package queue.
//
// process.go builds and starts our programs; chrome.go starts the one Chromium of a test run; tab.go is a tab of it with a profile of
// its own, which fails its test if the page told of an error or asked another host for anything; scene.go puts them together.
//
// Two tests run only when they are asked for: the pictures of docs/images/ui (make screenshots), and the measurements at a million
// jobs (-size).
package browser
