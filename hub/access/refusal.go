package access

import (
	"fmt"
	"math"
	"time"
)

// Refusal is a reason not to let somebody in, by its code; it has words for the
// person who was refused.
type Refusal string

// The refusals.
const (
	ErrLogin     Refusal = "E-ACCESS-LOGIN"
	ErrWrong     Refusal = "E-ACCESS-WRONG"
	ErrLink      Refusal = "E-ACCESS-LINK"
	ErrWeak      Refusal = "E-ACCESS-WEAK"
	ErrForbidden Refusal = "E-ACCESS-FORBIDDEN"
	ErrWait      Refusal = "E-ACCESS-WAIT"
	ErrToken     Refusal = "E-TOKEN-WRONG"
	ErrTokenOld  Refusal = "E-TOKEN-EXPIRED"
	ErrScope     Refusal = "E-TOKEN-SCOPE"
	ErrCameras   Refusal = "E-TOKEN-CAMERAS"
	ErrPerson    Refusal = "E-TOKEN-PERSON"
	ErrTokens    Refusal = "E-TOKEN-FULL"
	ErrStreams   Refusal = "E-STREAM-FULL"
)

// Code names the refusal.
func (r Refusal) Code() string { return string(r) }

func (r Refusal) Error() string {
	switch r {
	case ErrLogin:
		return "nobody is signed in"
	case ErrWrong:
		return "the name or the password is wrong"
	case ErrLink:
		return "this setup link was used already or is older than 30 minutes"
	case ErrWeak:
		return "the password needs at least 8 characters, and not all the same"
	case ErrForbidden:
		return "your role does not allow this"
	case ErrWait:
		return "too many tries"
	case ErrToken:
		return "this token is not known, or was revoked"
	case ErrTokenOld:
		return "this token has expired"
	case ErrScope:
		return "the scopes of this token do not allow this"
	case ErrCameras:
		return "this token is for some cameras, and this is about the whole house"
	case ErrPerson:
		return "this is for a person who is signed in, not for a token"
	case ErrTokens:
		return fmt.Sprintf("there are %d tokens already", tokensKept)
	case ErrStreams:
		return fmt.Sprintf("there are %d stream passwords already", streamsKept)
	}
	return "access refused: " + string(r)
}

// Hint says how to mend it.
func (r Refusal) Hint() string {
	switch r {
	case ErrLogin:
		return "Sign in, or run `porchlight setup-link` on the hub's machine for a link that signs you in."
	case ErrWrong:
		return "If no password was set yet, run `porchlight setup-link` on the hub's machine; if it is lost, add --reset-owner."
	case ErrLink:
		return "Run `porchlight setup-link` on the hub's machine for a new one."
	case ErrWeak:
		return "A sentence of a few words is strong and easy to keep."
	case ErrForbidden:
		return "Ask the owner of the hub."
	case ErrWait:
		return "If the password is lost, run `porchlight setup-link --reset-owner` on the hub's machine."
	case ErrToken, ErrTokenOld:
		return "Make a new one on the hub's machine: porchlight tokens new NAME --scope view."
	case ErrScope:
		return "Make a token with the scope that this needs: porchlight tokens new NAME --scope view,control."
	case ErrCameras:
		return "Make a token without --camera."
	case ErrPerson:
		return "Use the hub's pages, or the command line on its machine."
	case ErrTokens:
		return "Revoke those that nothing uses: porchlight tokens ls shows when each was used last."
	case ErrStreams:
		return "Revoke those that nothing uses: porchlight streams ls shows when each was used last."
	}
	return ""
}

// WaitError is ErrWait with the time after which the next try is possible.
type WaitError struct{ Wait time.Duration }

func (e WaitError) Error() string {
	return fmt.Sprintf("too many tries; the next one is possible in %d s", int(math.Ceil(e.Wait.Seconds())))
}

// Code is that of ErrWait.
func (e WaitError) Code() string { return ErrWait.Code() }

// Hint is that of ErrWait.
func (e WaitError) Hint() string { return ErrWait.Hint() }

// Is makes it an ErrWait.
func (e WaitError) Is(target error) bool { return target == ErrWait }

// RetryAfter is the wait, for whoever answers by HTTP.
func (e WaitError) RetryAfter() time.Duration { return e.Wait }
