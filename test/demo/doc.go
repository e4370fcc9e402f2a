// Command demo shows Outrider at work, and is the first test that a visitor runs (`make demo`).
//
// It makes four small machines, front, user-v1, user-v2 and greeter, each with a real app and a sidecar beside it, and a database outside
// the mesh; loads the guide's mesh and a gRPC service beside it (documents/); lets the front app call http://user-service.local:8080, make
// gRPC calls, hold a WebSocket and talk to the database by TCP; and prints what was asked, what the documents promise and what
// happened, in 80 columns. It exits 0 only if all of it holds.
//
// # Two ways to run
//
// As root the machines are network namespaces. Everything, the demo's own driver included, lives in a network, a mount
// and a process namespace of its own whose first process is the stage (stage.go): /run, /etc/hosts and /etc/resolv.conf are
// private there, and when the stage ends, in whichever way, the kernel takes processes, interfaces, rules and files
// with it. That is why it can run twice at once and why a kill -9 leaves nothing.
//
// Without root the same runs on loopback in direct mode: each sidecar and each app has addresses of its own under
// 127.0.0.0/8, the front app finds its sidecar by HTTP_PROXY, and the files lie in a temporary folder that
// whichever of the two processes outlives the other removes.
//
// # Files
//
//	main.go       flags, tools, which way; the process that the user started
//	stage.go      the stage: makes the world, takes the steps, cleans up
//	world.go      the four members and their addresses; isolated.go and direct.go make them real
//	process.go    a started program and its log
//	steps.go      one function per promise; canary.go the longest of them, protocols.go those about gRPC, WebSocket and TCP
//	table.go      what is printed
//	front.go      the front app, and talk.go how it speaks other protocols than HTTP
//	user.go       the user-service app; apps.go the others. All are this program run again.
package main
