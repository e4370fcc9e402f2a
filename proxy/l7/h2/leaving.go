package h2

// Leaving tells whether the peer has said that it takes no more streams
// (GOAWAY), or Retire has, and the connection is not over yet.
func (c *Client) Leaving() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.retiring && c.err == nil
}
