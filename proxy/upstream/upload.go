package upstream

// A request whose body is still coming holds a stream or a connection of the
// upstream for as long as its client likes. The cluster's limits of connections
// and requests are what documents say, and App Mesh's are none, so a few clients
// that begin many requests and end none could use an app up. Each cluster
// therefore takes a bounded number of such requests (Envoy has no such bound);
// requests that came as a whole are not counted, however many there are.

// beginUpload takes a place among the cluster's unfinished uploads, and tells
// whether there was one.
func (f *forwarding) beginUpload() bool {
	if !f.cluster.uploads.TryAcquire() {
		f.cluster.stats.Counter(rqUnfinishedOverflow).Inc()
		return false
	}
	f.uploading.Store(true)
	return true
}

// endUpload gives the place back: the body has come to its end, or the exchange
// is over. Whoever is first does it.
func (f *forwarding) endUpload() {
	if f.uploading.Swap(false) {
		f.cluster.uploads.Release()
	}
}
