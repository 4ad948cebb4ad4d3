package rtsp

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/porchlight-hub/porchlight/hub/media/rtsp/dialog"
)

// Kind of a Fault; who retries decides by it.
type Kind string

// Kinds.
const (
	Address     Kind = "address"     // the target itself is wrong; trying again cannot help
	Unreachable Kind = "unreachable" // no route, no answer to the dial, no such name
	Refused     Kind = "refused"     // the host is there, the port is closed
	Login       Kind = "login"       // user or password refused
	NotFound    Kind = "not_found"   // the camera does not know the path
	Busy        Kind = "busy"        // too many watchers
	Timeout     Kind = "timeout"     // it fell silent
	Ended       Kind = "ended"       // it closed the connection
	BadSDP      Kind = "bad_sdp"     // what it calls a description is none
	NoMedia     Kind = "no_media"    // nothing in it that we carry, or no pictures came
	Certificate Kind = "certificate" // of rtsps
	Protocol    Kind = "protocol"    // an answer that cannot be made sense of
	NoTalk      Kind = "no_talk"     // nobody can talk by it
	Sunk        Kind = "sink"        // who took the units wanted no more
)

// Fault says why a pull ended. It holds neither the password nor the query of the URL.
type Fault struct {
	Kind   Kind
	Act    string // dial, describe, setup, play, read, ...
	Where  string // address, without its query
	Why    string
	Status int // of the answer that was refused; 0: none
	// Fingerprint of the certificate that was shown, where it is the matter.
	Fingerprint string
	// Tried tells that a user and a password were sent and refused: each more try counts
	// towards a lock-out.
	Tried bool
	hint  string
	err   error
}

func (f *Fault) Error() string {
	return fmt.Sprintf("%s: %s", cmp.Or(f.Where, "rtsp"), f.Why)
}

// Unwrap gives the cause, for errors.Is.
func (f *Fault) Unwrap() error { return f.err }

// Code of the fault's text in hub/doctor.
func (f *Fault) Code() string {
	switch f.Kind {
	case Address:
		return "E-RTSP-ADDRESS"
	case Unreachable:
		return "E-RTSP-UNREACHABLE"
	case Refused:
		return "E-RTSP-REFUSED"
	case Login:
		return "E-RTSP-LOGIN"
	case NotFound:
		return "E-RTSP-NOT-FOUND"
	case Busy:
		return "E-RTSP-BUSY"
	case Timeout:
		return "E-RTSP-TIMEOUT"
	case Ended:
		return "E-RTSP-ENDED"
	case BadSDP:
		return "E-RTSP-SDP"
	case NoMedia:
		return "E-RTSP-NO-MEDIA"
	case NoTalk:
		return "E-RTSP-NO-TALK"
	case Certificate:
		return "E-RTSP-CERTIFICATE"
	case Sunk:
		return "E-RTSP-SINK"
	}
	return "E-RTSP-PROTOCOL"
}

// Hint says what to do about it.
func (f *Fault) Hint() string {
	if f.hint != "" {
		return f.hint
	}
	switch f.Kind {
	case Address:
		return "write it as rtsp://192.0.2.10/stream1, with the user and the password in keys of their own"
	case Unreachable:
		return "check that the camera has power and that its address is still the same: routers give out new ones"
	case Refused:
		return "switch RTSP on in the camera's own app or page, and check the port (554 is usual)"
	case Login:
		return "check username and password; many cameras have a user of their own for RTSP or ONVIF, set in their app"
	case NotFound:
		return "check the path of the url; the camera's maker lists it, and presets of the rtsp plugin have the usual ones"
	case Busy:
		return "close other apps that watch this camera, or raise its limit of connections"
	case Timeout, Ended:
		return "nothing to do if it comes back by itself; if it happens often look at the camera's Wi-Fi and load"
	case BadSDP, Protocol:
		return "update the camera's firmware; if it stays so, report it with the output of cameras test"
	case NoMedia:
		return "set the camera's stream to H.264 (or H.265, MJPEG) in its app or page"
	case NoTalk:
		return "switch two-way audio on in the camera's app or page, if it has a loudspeaker; else write talk: off into its source"
	case Certificate:
		if f.Fingerprint != "" {
			return "if this is your camera, write fingerprint: " + f.Fingerprint
		}
		return "check that the port speaks TLS; rtsp:// and rtsps:// have different ports"
	}
	return ""
}

func (s *session) fault(k Kind, act, why string, err error) *Fault {
	return &Fault{Kind: k, Act: act, Where: s.at.shown(), Why: why, err: err}
}

// ended: the other side closed the connection.
func ended(err error) bool {
	var f *Fault
	if errors.As(err, &f) && f.Kind == Ended {
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, dialog.ErrEnded)
}

// cause makes a Fault of an error of the connection.
func (s *session) cause(act string, err error) error {
	var (
		f        *Fault
		more     *again
		cert     *dialog.CertificateError
		head     tls.RecordHeaderError
		al       tls.AlertError
		x509Host x509.HostnameError
		dns      *net.DNSError
	)
	switch {
	case errors.As(err, &f), errors.As(err, &more), errors.Is(err, dialog.ErrInterrupted):
		return err // an interrupted one is the context's, or the sink's
	case errors.As(err, &cert):
		f := s.fault(Certificate, act, cert.Error(), err)
		f.Fingerprint = cert.Fingerprint
		return f
	case errors.As(err, &head):
		return s.fault(Certificate, act, "the port does not speak TLS", err)
	case errors.As(err, &al), errors.As(err, &x509Host):
		return s.fault(Certificate, act, err.Error(), err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return s.fault(Refused, act, "nobody answers at this port: connection refused", err)
	case errors.As(err, &dns):
		return s.fault(Unreachable, act, "no host of that name is known", err)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTDOWN):
		return s.fault(Unreachable, act, "no way to the host", err)
	case errors.Is(err, dialog.ErrNotRTSP):
		return s.fault(Protocol, act, "the answer is not RTSP", err)
	case errors.Is(err, dialog.ErrTooBig) && act == "describe":
		return s.fault(BadSDP, act, err.Error(), err)
	case errors.Is(err, dialog.ErrTooBig):
		return s.fault(Protocol, act, err.Error(), err)
	case errors.Is(err, dialog.ErrEnded):
		return s.fault(Ended, act, "the camera ended the session", err)
	case errors.Is(err, dialog.ErrNoTLS), ended(err) && act == "dial" && s.at.tls:
		f := s.fault(Ended, act, "the port is open, but does not speak TLS", err)
		f.hint = "check that the port speaks TLS: rtsp:// and rtsps:// have different ports"
		return f
	case ended(err):
		return s.fault(Ended, act, "the camera closed the connection", err)
	}
	if timeout(err) {
		if act == "dial" {
			return s.fault(Unreachable, act, "no answer within "+s.o.ReadTimeout.String(), err)
		}
		return s.fault(Timeout, act, "nothing came for "+s.o.ReadTimeout.String(), err)
	}
	if act == "dial" {
		return s.fault(Unreachable, act, "no connection: "+err.Error(), err)
	}
	return s.fault(Ended, act, err.Error(), err)
}

func timeout(err error) bool {
	var ne net.Error
	return silent(err) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &ne) && ne.Timeout()
}

// refused makes a Fault of an answer that is none.
func (s *session) refused(act string, m *dialog.Message) error {
	why := fmt.Sprintf("%d %s", m.Status, m.Reason)
	f := s.fault(Protocol, act, "the camera refuses to "+act+" ("+why+")", nil)
	f.Status = m.Status
	switch m.Status {
	case 401:
		f.Kind, f.Tried = Login, s.conn.Tried()
		f.Why = "the camera refuses this user name or password (401)"
		switch {
		case s.conn.Withheld():
			f.Why = "it redirects to another host without TLS, where the login is not sent"
			f.hint = "write the address that it redirects to into the url, if it is yours: " + s.at.url.Host
		case s.conn.Offered() != "":
			f.Kind, f.Why = Protocol, "it wants a login of a kind that is not known here: "+s.conn.Offered()
		case s.t.Username == "" && s.t.Password == "":
			f.Why = "the camera wants a login"
			f.hint = "add username and password to the source"
		}
	case 403:
		f.Kind, f.Tried = Login, s.conn.Way() != "none"
		f.Why = "this user may not see the stream (403)"
	case 404, 410:
		f.Kind, f.Why = NotFound, "the camera knows no stream of this path ("+why+")"
	case 453, 503:
		f.Kind, f.Why = Busy, "the camera serves nobody more ("+why+")"
	case 461:
		f.hint = "try transport: udp, or tcp if udp is set"
	}
	return f
}

func asAgain(err error, to **again) bool { return errors.As(err, to) }
func asFault(err error, to **Fault) bool { return errors.As(err, to) }
