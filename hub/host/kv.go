package host

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

func checkKey(key string) error {
	if !kvKey.MatchString(key) {
		return refusal{pb.Code_CODE_INVALID, fmt.Sprintf("key %.64q: want 1 to 128 of a-z, 0-9, . _ / -", key)}
	}
	return nil
}

func (h *Host) kvGet(ctx context.Context, plugin, key string) (value []byte, found bool, err error) {
	if err := checkKey(key); err != nil {
		return nil, false, err
	}
	err = h.DB.SQL().QueryRowContext(ctx, `SELECT value FROM plugin_kv WHERE plugin = ? AND key = ?`, plugin, key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("key %s: read: %w", key, err)
	}
	return value, true, nil
}

// kvPut writes one value where all of the plugin's together stay within kvQuota.
func (h *Host) kvPut(ctx context.Context, plugin, key string, value []byte) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if value == nil {
		value = []byte{}
	}
	res, err := h.DB.SQL().ExecContext(ctx, `INSERT INTO plugin_kv (plugin, key, value)
		SELECT ?1, ?2, ?3 WHERE (SELECT COALESCE(SUM(LENGTH(value) + LENGTH(key)), 0) FROM plugin_kv WHERE plugin = ?1 AND key <> ?2) + LENGTH(?3) + LENGTH(?2) <= ?4
		ON CONFLICT (plugin, key) DO UPDATE SET value = excluded.value`, plugin, key, value, kvQuota)
	if err != nil {
		return fmt.Errorf("key %s: write: %w", key, err)
	}
	if n, err := res.RowsAffected(); err == nil && n == 0 {
		return refusal{pb.Code_CODE_EXHAUSTED, "key " + key + ": the plugin's values would be over 5 MiB together"}
	}
	return nil
}

func (h *Host) kvDelete(ctx context.Context, plugin, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if _, err := h.DB.SQL().ExecContext(ctx, `DELETE FROM plugin_kv WHERE plugin = ? AND key = ?`, plugin, key); err != nil {
		return fmt.Errorf("key %s: delete: %w", key, err)
	}
	return nil
}

// kvList gives the keys with the prefix, in order, at most 10,000.
func (h *Host) kvList(ctx context.Context, plugin, prefix string) ([]string, error) {
	rows, err := h.DB.SQL().QueryContext(ctx, `SELECT key FROM plugin_kv WHERE plugin = ? AND substr(key, 1, length(?)) = ? ORDER BY key LIMIT 10000`, plugin, prefix, prefix)
	if err != nil {
		return nil, fmt.Errorf("keys %s*: read: %w", strings.ToValidUTF8(clip(prefix, 64), "?"), err)
	}
	defer rows.Close()
	var keys []string
	for rows.Next() {
		var k string
		if err := rows.Scan(&k); err != nil {
			return nil, fmt.Errorf("keys: read: %w", err)
		}
		keys = append(keys, k)
	}
	return keys, rows.Err()
}
