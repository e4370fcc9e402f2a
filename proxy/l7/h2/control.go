package h2

import (
	"encoding/binary"

	"golang.org/x/net/http2"
)

// headers takes a HEADERS frame: a header block begins, and often ends.
func (c *conn) headers(f frame, p []byte) *Error {
	if f.stream == 0 {
		return errStreamZero
	}
	p, err := unpad(f, p)
	if err != nil {
		return err
	}
	c.block.begin(f.stream, f.flags&flagEndStream != 0)
	c.block.begun = c.clock
	if f.flags&flagPriority != 0 {
		if len(p) < 5 {
			return errFrameLength
		}
		if binary.BigEndian.Uint32(p)&maxStreamID == f.stream {
			c.block.bad = errSelfDependency
		}
		p = p[5:]
	}
	return c.fragment(f, p)
}

func (c *conn) continuation(f frame, p []byte) *Error {
	if c.block.stream == 0 {
		return errNoBlock
	}
	return c.fragment(f, p)
}

func (c *conn) fragment(f frame, p []byte) *Error {
	if err := c.floods.empty(c, f, len(p)); err != nil {
		return err
	}
	whole := f.flags&flagEndHeaders != 0
	if err := c.block.add(p, whole); err != nil || !whole {
		return err
	}
	return c.role.head()
}

// priority takes a PRIORITY frame, which says nothing to us (RFC 9113 5.3.2).
func (c *conn) priority(f frame, p []byte) *Error {
	switch {
	case f.stream == 0:
		return errStreamZero
	case len(p) != 5:
		return errPriorityLength
	case binary.BigEndian.Uint32(p)&maxStreamID == f.stream:
		return errSelfDependency
	}
	return c.floods.prioritize(c)
}

// reset takes a RST_STREAM frame.
func (c *conn) reset(f frame, p []byte) *Error {
	if f.stream == 0 {
		return errStreamZero
	}
	if len(p) != 4 {
		return errFrameLength
	}
	code := Code(binary.BigEndian.Uint32(p))
	c.stats.Counter(rxReset).Inc()
	c.mu.Lock()
	defer c.mu.Unlock()
	st := c.streams.get(f.stream)
	if st == nil {
		if !c.role.known(f.stream) {
			return errIdleStream
		}
		return nil
	}
	c.cut(st, remoteReset(code))
	return nil
}

// settings takes a SETTINGS frame.
func (c *conn) settings(f frame, p []byte) *Error {
	if f.stream != 0 {
		return errNotStreamZero
	}
	if f.flags&flagAck != 0 {
		if len(p) != 0 {
			return errSettingsLength
		}
		c.mu.Lock()
		c.peer.acked = true
		c.mu.Unlock()
		return nil
	}
	if len(p)%6 != 0 {
		return errSettingsLength
	}
	window, streams := int64(-1), int64(-1)
	for ; len(p) > 0; p = p[6:] {
		id, value := http2.SettingID(binary.BigEndian.Uint16(p)), binary.BigEndian.Uint32(p[2:])
		if err := c.setting(id, value); err != nil {
			return err
		}
		switch id { // of several the last counts: each window would go through all streams
		case http2.SettingInitialWindowSize:
			window = int64(value)
		case http2.SettingMaxConcurrentStreams:
			streams = int64(value)
		}
	}
	if window >= 0 {
		if err := c.windowSetting(int32(window)); err != nil {
			return err
		}
	}
	c.streamsSetting(streams)
	c.appendAck(http2.FrameSettings, nil)
	c.role.heard()
	return nil
}

func (c *conn) setting(id http2.SettingID, value uint32) *Error {
	switch id {
	case http2.SettingEnablePush:
		if value > c.pushMost {
			return errSettings
		}
	case http2.SettingMaxFrameSize:
		if value < defaultMaxFrame || value > mostMaxFrame {
			return errSettings
		}
		c.mu.Lock()
		// Larger frames gain nothing, and would hold up those of other streams.
		c.peer.maxFrame = defaultMaxFrame
		c.mu.Unlock()
	case http2.SettingInitialWindowSize:
		if value > maxWindow {
			return errWindowSetting
		}
	}
	return nil
}

// streamsSetting takes how many streams the peer allows; -1 when it did not say,
// which at first means any number.
func (c *conn) streamsSetting(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n >= 0 {
		c.peer.maxStreams = uint32(n)
	} else if !c.peer.said {
		c.peer.maxStreams = maxStreamID
	}
	c.peer.said = true
}

// windowSetting moves the windows of all streams, which may become negative
// (RFC 9113 6.9.2).
func (c *conn) windowSetting(value int32) *Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	more := int64(value) - int64(c.peer.window)
	c.peer.window = value
	var over *Error
	c.streams.each(func(st *stream) {
		if st.send += more; st.send > maxWindow {
			over = errWindow
		}
		if more > 0 && st.wantsWindow {
			st.wantsWindow = false
			st.writer.wake()
		}
	})
	return over
}

// ping answers a PING, and hears the answer to our own.
func (c *conn) ping(f frame, p []byte) *Error {
	switch {
	case f.stream != 0:
		return errNotStreamZero
	case len(p) != 8:
		return errFrameLength
	case f.flags&flagAck == 0:
		c.appendAck(http2.FramePing, p)
	case binary.BigEndian.Uint64(p) == shutdownPing:
		c.lastGoAway()
	}
	return nil
}

// goneAway takes a GOAWAY frame.
func (c *conn) goneAway(f frame, p []byte) *Error {
	if f.stream != 0 {
		return errNotStreamZero
	}
	if len(p) < 8 {
		return errFrameLength
	}
	c.stats.Counter(goAwayReceived).Inc()
	c.role.goAway(binary.BigEndian.Uint32(p)&maxStreamID, Code(binary.BigEndian.Uint32(p[4:])))
	return nil
}
