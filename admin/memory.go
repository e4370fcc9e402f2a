package admin

import (
	"bytes"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
)

// memoryInfo is Envoy's Memory, with the nearest that Go knows: there is no
// thread cache to speak of.
type memoryInfo struct {
	Allocated   uint64 `json:"allocated,string"`
	HeapSize    uint64 `json:"heap_size,string"`
	Unmapped    uint64 `json:"pageheap_unmapped,string"`
	Free        uint64 `json:"pageheap_free,string"`
	ThreadCache uint64 `json:"total_thread_cache,string"`
	Physical    uint64 `json:"total_physical_bytes,string"`
}

func (s *Server) memory(w http.ResponseWriter, _ url.Values) { writeJSON(w, readMemory()) }

// readMemory does not stop the world.
func readMemory() memoryInfo {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/total:bytes"},
	}
	metrics.Read(samples)
	var n [5]uint64
	for i := range samples {
		if samples[i].Value.Kind() == metrics.KindUint64 {
			n[i] = samples[i].Value.Uint64()
		}
	}
	m := memoryInfo{Allocated: n[0], HeapSize: n[0] + n[1] + n[2], Free: n[2], Unmapped: n[3], Physical: n[4] - n[3]}
	if resident, ok := residentBytes(); ok {
		m.Physical = resident
	}
	return m
}

// residentBytes is the second figure of /proc/self/statm, where there is one.
func residentBytes() (uint64, bool) {
	text, err := os.ReadFile("/proc/self/statm")
	fields := bytes.Fields(text)
	if err != nil || len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.ParseUint(string(fields[1]), 10, 64)
	return pages * uint64(os.Getpagesize()), err == nil
}

// heapInfo is what benchmarks read: how often memory was asked for since the
// start, and what is held.
type heapInfo struct {
	Mallocs  uint64 `json:"mallocs,string"`
	Frees    uint64 `json:"frees,string"`
	Heap     uint64 `json:"heap_alloc,string"`
	Stacks   uint64 `json:"stack_inuse,string"`
	Physical uint64 `json:"total_physical_bytes,string"`
}

// collect is ours, not Envoy's. It stops the process for the collection.
func (s *Server) collect(w http.ResponseWriter, _ url.Values) {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	writeJSON(w, heapInfo{m.Mallocs, m.Frees, m.HeapAlloc, m.StackInuse, readMemory().Physical})
}
