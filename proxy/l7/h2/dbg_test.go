package h2_test
import ("testing";"time";"fmt";"net/http";"io";"bytes";"sync")
func TestDbg(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }
	br := bridge(t, h)
	direct := app(t, h)
	client := browser(t)
	for _, addr := range []string{direct.String(), br.addr.String()} {
		for _, n := range []int{1, 5, 20} {
		start := time.Now()
		var wg sync.WaitGroup
		for range n { wg.Go(func() {
			body := bytes.Repeat([]byte{1}, 3<<20)
			req, _ := http.NewRequest("POST", "http://"+addr+"/", io.NopCloser(bytes.NewReader(body)))
			resp, err := client.Do(req)
			if err != nil { t.Error(err); return }
			m, _ := io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if m != 3<<20 { t.Error(m) }
		}) }
		wg.Wait()
		fmt.Println(addr, n, time.Since(start))
		}
	}
}
