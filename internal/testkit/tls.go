package testkit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/netip"
	"testing"
	"time"
)

// NewTLSEcho is a TLS server, whoever it is asked to be, that sends greeting
// and then back what it gets; it ends with the test.
func NewTLSEcho(t testing.TB, greeting string) netip.AddrPort {
	t.Helper()
	config := &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}
	return NewTCP(t, func(c *net.TCPConn) {
		s := tls.Server(c, config)
		io.WriteString(s, greeting)
		io.Copy(s, s)
		s.Close()
	})
}

func selfSigned(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TLS speaks TLS over a connection, asking for a server by name and believing
// whoever answers.
func TLS(c net.Conn, name string) *tls.Conn {
	return tls.Client(c, &tls.Config{ServerName: name, InsecureSkipVerify: true})
}
