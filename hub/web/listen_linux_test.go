package web_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/web"
)

func TestPortTaken(t *testing.T) {
	first, err := web.Listen(t.Context(), "127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	_, err = web.Listen(t.Context(), first.Addr().String(), false)
	var e *web.Error
	if !errors.As(err, &e) || e.Code() != web.CodePortTaken || e.Hint() == "" {
		t.Fatalf("second: %v", err)
	}
	_, port, _ := net.SplitHostPort(first.Addr().String())
	if !strings.Contains(e.Error(), "port "+port+" is taken by ") || !strings.Contains(e.Error(), fmt.Sprintf("(pid %d)", os.Getpid())) {
		t.Errorf("the holder is not told: %v", e)
	}
}

func TestListeners(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2120 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0
   1: 0100007F:2120 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0 20 4 30 10 -1
   2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0
   3: broken
`
	if got := web.Listeners(strings.NewReader(table), 8480); len(got) != 1 || got[0] != "4711" {
		t.Errorf("8480: %v", got)
	}
	if got := web.Listeners(strings.NewReader(table), 443); len(got) != 0 {
		t.Errorf("443: %v", got)
	}
}

func TestParentIn(t *testing.T) {
	for stat, want := range map[string]int{
		"12 (porchlight) S 7 12 12 0 -1": 7, "12 (a) R 3 (b) S 7 12": 7, "12 (porchlight": 0, "": 0, "12 (x) S": 0, "12 (x) S y 1": 0,
	} {
		if got := web.ParentIn(stat); got != want {
			t.Errorf("%q: %d, want %d", stat, got, want)
		}
	}
}
