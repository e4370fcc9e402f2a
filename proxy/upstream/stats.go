package upstream

import "github.com/outrider-mesh/outrider/internal/stat"

// The counters of a cluster, "cluster.<name>." (Envoy 7.2).
const (
	cxTotal = iota
	cxHTTP1Total
	cxHTTP2Total
	cxMaxRequests
	cxCloseNotify
	cxConnectFail
	cxConnectTimeout
	cxConnectAttemptsExceeded
	cxOverflow
	cxNoneHealthy
	cxDestroy
	cxDestroyLocal
	cxDestroyRemote
	cxDestroyWithActiveRq
	cxIdleTimeout
	cxRxBytes
	cxTxBytes
	cxProtocolError
	rqTotal
	rqCompleted
	rqPendingTotal
	rqPendingOverflow
	rqPendingFailureEject
	rqCancelled
	rqTimeout
	rqPerTryTimeout
	rqRxReset
	rqTxReset
	rqRetry
	rqRetryBackoff
	rqRetryLimitExceeded
	rqRetrySuccess
	rqRetryOverflow
	rqStaleReplay
	rqUnfinishedOverflow
	retryAbandoned
	membershipChange
)

// The gauges of a cluster.
const (
	cxActive = iota
	rqActive
	rqPendingActive
	membershipTotal
	membershipHealthy
	openCx
	openPending
	openRq
	openRetry
)

// The histograms of a cluster.
const (
	rqTime = iota
	cxConnectTime
	cxLength
)

var clusterLayout = stat.Layout{
	Counters: []string{
		cxTotal:                   "upstream_cx_total",
		cxHTTP1Total:              "upstream_cx_http1_total",
		cxHTTP2Total:              "upstream_cx_http2_total",
		cxMaxRequests:             "upstream_cx_max_requests",
		cxCloseNotify:             "upstream_cx_close_notify",
		cxConnectFail:             "upstream_cx_connect_fail",
		cxConnectTimeout:          "upstream_cx_connect_timeout",
		cxConnectAttemptsExceeded: "upstream_cx_connect_attempts_exceeded",
		cxOverflow:                "upstream_cx_overflow",
		cxNoneHealthy:             "upstream_cx_none_healthy",
		cxDestroy:                 "upstream_cx_destroy",
		cxDestroyLocal:            "upstream_cx_destroy_local",
		cxDestroyRemote:           "upstream_cx_destroy_remote",
		cxDestroyWithActiveRq:     "upstream_cx_destroy_with_active_rq",
		cxIdleTimeout:             "upstream_cx_idle_timeout",
		cxRxBytes:                 "upstream_cx_rx_bytes_total",
		cxTxBytes:                 "upstream_cx_tx_bytes_total",
		cxProtocolError:           "upstream_cx_protocol_error",
		rqTotal:                   "upstream_rq_total",
		rqCompleted:               "upstream_rq_completed",
		rqPendingTotal:            "upstream_rq_pending_total",
		rqPendingOverflow:         "upstream_rq_pending_overflow",
		rqPendingFailureEject:     "upstream_rq_pending_failure_eject",
		rqCancelled:               "upstream_rq_cancelled",
		rqTimeout:                 "upstream_rq_timeout",
		rqPerTryTimeout:           "upstream_rq_per_try_timeout",
		rqRxReset:                 "upstream_rq_rx_reset",
		rqTxReset:                 "upstream_rq_tx_reset",
		rqRetry:                   "upstream_rq_retry",
		rqRetryBackoff:            "upstream_rq_retry_backoff_exponential",
		rqRetryLimitExceeded:      "upstream_rq_retry_limit_exceeded",
		rqRetrySuccess:            "upstream_rq_retry_success",
		rqRetryOverflow:           "upstream_rq_retry_overflow",
		rqStaleReplay:             "upstream_rq_stale_replay",        // ours: see retry.go
		rqUnfinishedOverflow:      "upstream_rq_unfinished_overflow", // ours: see upload.go
		retryAbandoned:            "retry_or_shadow_abandoned",
		membershipChange:          "membership_change",
	},
	Gauges: []string{
		cxActive:          "upstream_cx_active",
		rqActive:          "upstream_rq_active",
		rqPendingActive:   "upstream_rq_pending_active",
		membershipTotal:   "membership_total",
		membershipHealthy: "membership_healthy",
		openCx:            "circuit_breakers.default.cx_open",
		openPending:       "circuit_breakers.default.rq_pending_open",
		openRq:            "circuit_breakers.default.rq_open",
		openRetry:         "circuit_breakers.default.rq_retry_open",
	},
	Histograms: []string{
		rqTime:        "upstream_rq_time",
		cxConnectTime: "upstream_cx_connect_ms",
		cxLength:      "upstream_cx_length_ms",
	},
	Codes: "upstream_rq",
}
