package proxy

import "github.com/outrider-mesh/outrider/internal/stat"

// The counters of HTTP connections, "http.<prefix>." (Envoy 7.2).
const (
	cxTotal = iota
	cxHTTP1Total
	cxHTTP2Total
	cxDestroy
	cxDestroyActiveRq
	cxDestroyRemoteActiveRq
	cxUpgradesTotal
	cxProtocolError
	cxRxBytes
	cxTxBytes
	cxDrainClose
	cxIdleTimeout
	rqTotal
	rqHTTP1Total
	rqHTTP2Total
	rqCompleted
	rq1xx
	rq2xx
	rq3xx
	rq4xx
	rq5xx
	rqRxReset
	rqTxReset
	rqTooManyPrematureResets
	rqTooLarge
	rqNonRelativePath
	rqResponseBeforeRqComplete
	rqIdleTimeout
	noRoute
	noCluster
)

// The gauges of HTTP connections.
const (
	cxActive = iota
	cxHTTP1Active
	cxHTTP2Active
	cxUpgradesActive
	rqActive
)

// The histograms of HTTP connections.
const (
	rqTime = iota
	cxLength
)

var httpLayout = stat.Layout{
	Counters: []string{
		cxTotal:                    "downstream_cx_total",
		cxHTTP1Total:               "downstream_cx_http1_total",
		cxHTTP2Total:               "downstream_cx_http2_total",
		cxDestroy:                  "downstream_cx_destroy",
		cxDestroyActiveRq:          "downstream_cx_destroy_active_rq",
		cxDestroyRemoteActiveRq:    "downstream_cx_destroy_remote_active_rq",
		cxUpgradesTotal:            "downstream_cx_upgrades_total",
		cxProtocolError:            "downstream_cx_protocol_error",
		cxRxBytes:                  "downstream_cx_rx_bytes_total",
		cxTxBytes:                  "downstream_cx_tx_bytes_total",
		cxDrainClose:               "downstream_cx_drain_close",
		cxIdleTimeout:              "downstream_cx_idle_timeout",
		rqTotal:                    "downstream_rq_total",
		rqHTTP1Total:               "downstream_rq_http1_total",
		rqHTTP2Total:               "downstream_rq_http2_total",
		rqCompleted:                "downstream_rq_completed",
		rq1xx:                      "downstream_rq_1xx",
		rq2xx:                      "downstream_rq_2xx",
		rq3xx:                      "downstream_rq_3xx",
		rq4xx:                      "downstream_rq_4xx",
		rq5xx:                      "downstream_rq_5xx",
		rqRxReset:                  "downstream_rq_rx_reset",
		rqTxReset:                  "downstream_rq_tx_reset",
		rqTooManyPrematureResets:   "downstream_rq_too_many_premature_resets",
		rqTooLarge:                 "downstream_rq_too_large",
		rqNonRelativePath:          "downstream_rq_non_relative_path",
		rqResponseBeforeRqComplete: "downstream_rq_response_before_rq_complete",
		rqIdleTimeout:              "downstream_rq_idle_timeout",
		noRoute:                    "no_route",
		noCluster:                  "no_cluster",
	},
	Gauges: []string{
		cxActive:         "downstream_cx_active",
		cxHTTP1Active:    "downstream_cx_http1_active",
		cxHTTP2Active:    "downstream_cx_http2_active",
		cxUpgradesActive: "downstream_cx_upgrades_active",
		rqActive:         "downstream_rq_active",
	},
	Histograms: []string{
		rqTime:   "downstream_rq_time",
		cxLength: "downstream_cx_length_ms",
	},
}

// The cells of a listener, "listener.<address>_<port>.".
const (
	lnCxTotal = iota
	lnCxDestroy
	lnNoChain
)

const lnCxActive = 0

const lnCxLength = 0

var listenerLayout = stat.Layout{
	Counters: []string{
		lnCxTotal:   "downstream_cx_total",
		lnCxDestroy: "downstream_cx_destroy",
		lnNoChain:   "no_filter_chain_match",
	},
	Gauges:     []string{lnCxActive: "downstream_cx_active"},
	Histograms: []string{lnCxLength: "downstream_cx_length_ms"},
}
