package journal

import (
	"path/filepath"
	"strings"
	"testing"
)

// The queries of a long history find their rows by an index, not by looking at all.
func TestQueriesUseTheirIndex(t *testing.T) {
	j, err := Open(t.Context(), filepath.Join(t.TempDir(), "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for q, index := range map[string]string{
		`SELECT seq FROM events WHERE seq % 64 = 0 AND received < ? ORDER BY received DESC LIMIT 1`:     "events_time",
		`SELECT seq FROM events WHERE type IN (?) AND class = 1 ORDER BY seq DESC LIMIT 10`:             "events_critical",
		`SELECT subject FROM events WHERE class = 1 AND seq > ? AND seq <= ? ORDER BY seq`:              "events_critical",
		`SELECT seq FROM events WHERE correlation != '' AND correlation = ? ORDER BY seq DESC LIMIT 10`: "events_correlation",
		`SELECT seq FROM events WHERE id = ?`:                                                           "events_id",
		`SELECT subject FROM events WHERE class = 2 AND seq > ? AND seq <= ? ORDER BY seq`:              "PRIMARY KEY",
	} {
		rows, err := j.pool.QueryContext(t.Context(), `EXPLAIN QUERY PLAN `+q, 1, 2)
		if err != nil {
			rows, err = j.pool.QueryContext(t.Context(), `EXPLAIN QUERY PLAN `+q, 1)
		}
		if err != nil {
			t.Fatal(err)
		}
		var plan []string
		for rows.Next() {
			var a, b, c int
			var step string
			if err := rows.Scan(&a, &b, &c, &step); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, step)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(plan, "; "); !strings.Contains(got, index) || strings.Contains(got, "TEMP B-TREE") {
			t.Errorf("%s\n\tgoes by %q, want %s", q, got, index)
		}
	}
}
