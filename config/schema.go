package config

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/config/schema"
	"github.com/porchlight-hub/porchlight/config/tree"
	"github.com/porchlight-hub/porchlight/config/unit"
)

// IDPattern is what ids of plugins, cameras and chimes look like.
const IDPattern = schema.IDPattern

// schemaJSON is made from the Go types by make gen; a test holds it against them.
//
//go:embed porchlight.schema.json
var schemaJSON []byte

// Schema is the JSON schema of the format.
func Schema() json.RawMessage { return bytes.Clone(schemaJSON) }

// formats are checks of single values; their errors end a sentence that begins
// with the key, or stand alone if they quote the value.
func formats() map[string]func(string) error {
	return map[string]func(string) error{
		"duration-with-unit": func(s string) error { _, err := unit.ParseDuration(s); return err },
		"size-with-unit":     func(s string) error { _, err := unit.ParseByteSize(s); return err },
		"percent":            func(s string) error { _, err := unit.ParsePercent(s); return err },
		"listen-address":     func(s string) error { _, err := listenHost(s); return err },
		"timezone":           checkTimezone,
		"http-url":           checkURL,
		"language":           checkLanguage,
		"stun-server":        checkSTUN,
	}
}

func checkTimezone(s string) error {
	if _, err := time.LoadLocation(s); err != nil || s == "" || s == "Local" {
		return fmt.Errorf("%q is not a time zone: write for example Europe/Berlin", tree.Clip(s))
	}
	return nil
}

func checkURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
		return errors.New("is not an address such as https://porch.local:8480")
	}
	return nil
}

var languageTag = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}$`)

func checkLanguage(s string) error {
	if s != "auto" && !languageTag.MatchString(s) {
		return fmt.Errorf("%q is not a language: write auto, or a tag such as en or pt-BR", tree.Clip(s))
	}
	return nil
}

// checkSTUN wants stun:host:port, as RFC 7064 writes it; the port may be left out.
func checkSTUN(s string) error {
	rest, ok := strings.CutPrefix(s, "stun:")
	host := rest
	if h, port, err := net.SplitHostPort(rest); err == nil {
		n, err := strconv.ParseUint(port, 10, 16)
		ok, host = ok && err == nil && n > 0, h
	}
	if !ok || host == "" || strings.ContainsAny(host, "/ @?") {
		return fmt.Errorf("%q is not a STUN server: write for example stun:stun.example.org:3478", tree.Clip(s))
	}
	return nil
}

// listenHost is the host part of host:port.
func listenHost(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", fmt.Errorf("%q is not host:port: write for example 127.0.0.1:8480", tree.Clip(s))
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "", fmt.Errorf("%q has no port between 0 and 65535", tree.Clip(s))
	}
	if strings.ContainsAny(host, "/ @") {
		return "", fmt.Errorf("%q is not host:port: write for example 127.0.0.1:8480", tree.Clip(s))
	}
	return host, nil
}

// Loopback tells whether a listen address can be reached from this machine only.
func Loopback(listen string) bool {
	host, err := listenHost(listen)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}
