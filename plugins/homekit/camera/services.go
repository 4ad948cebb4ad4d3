package camera

import (
	"net/http"

	"github.com/brutella/hap/accessory"
	"github.com/brutella/hap/characteristic"
	"github.com/brutella/hap/service"
)

// Types of what the library has no words for (HomeKit Accessory Protocol, camera services).
const (
	typeOperatingMode   = "21A"
	typeCameraActive    = "21B"
	typeThirdParty      = "21C"
	typeIndicator       = "21D"
	typeEventPictures   = "223"
	typeRegularPictures = "225"
	typeManuallyOff     = "227"
)

// Modes of a device that Home has a switch for.
const (
	modeNightVision = "night_vision"
	modeIndicator   = "indicator"
)

// build puts the accessory together. The numbers of its parts are kept by their types, so
// the recording services (204, 129) will come behind these and move none.
func (c *Camera) build() error {
	c.a = accessory.New(c.o.Info, c.Category())
	version := service.NewProtocolInformation()
	version.Version.SetValue("1.1.0")
	c.a.AddS(version.S)
	if c.o.Doorbell {
		c.addBell()
	}
	for n := range viewers {
		s, err := newStream(c, n)
		if err != nil {
			return err
		}
		c.streams = append(c.streams, s)
		c.a.AddS(s.service)
	}
	if err := c.addSound(); err != nil {
		return err
	}
	if c.o.Motion {
		s := service.NewMotionSensor()
		c.motion, c.alive = s.MotionDetected, characteristic.NewStatusActive()
		s.AddC(c.alive.C)
		c.a.AddS(s.S)
	}
	if err := c.addOperatingMode(); err != nil {
		return err
	}
	c.tellMotion()
	return nil
}

func (c *Camera) addBell() {
	s := service.NewDoorbell()
	s.Primary = true
	ring := s.ProgrammableSwitchEvent
	ring.MinVal, ring.MaxVal = 0, 2
	ring.ValidVals = []int{characteristic.ProgrammableSwitchEventSinglePress}
	if c.o.Double {
		ring.ValidVals = append(ring.ValidVals, characteristic.ProgrammableSwitchEventDoublePress)
	}
	if c.o.Long {
		ring.ValidVals = append(ring.ValidVals, characteristic.ProgrammableSwitchEventLongPress)
	}
	c.bell = ring.C
	c.a.AddS(s.S)
}

// addSound adds the microphone and, where the camera can be talked to, the speaker. Neither has
// a volume: it could be set and would do nothing.
func (c *Camera) addSound() (err error) {
	mic := service.New(service.TypeMicrophone)
	if c.mic, err = c.keep(newBool(characteristic.TypeMute), "microphone/mute", 0); err != nil {
		return err
	}
	mic.AddC(c.mic.c)
	c.a.AddS(mic)
	if !c.o.Talk {
		return nil
	}
	speaker := service.New(service.TypeSpeaker)
	if c.speaker, err = c.keep(newBool(characteristic.TypeMute), "speaker/mute", 0); err != nil {
		return err
	}
	speaker.AddC(c.speaker.c)
	c.a.AddS(speaker)
	return nil
}

func (c *Camera) addOperatingMode() (err error) {
	s := service.New(typeOperatingMode)
	owners := func(typ, key string) (*setting, error) {
		set, err := c.keep(newFlag(typ), key, 1)
		if err == nil {
			set.admin, set.changed = true, c.switched
			s.AddC(set.c)
		}
		return set, err
	}
	if c.active, err = owners(typeCameraActive, "operating/active"); err != nil {
		return err
	}
	if c.event, err = owners(typeEventPictures, "operating/event_snapshots"); err != nil {
		return err
	}
	if c.regular, err = owners(typeRegularPictures, "operating/periodic_snapshots"); err != nil {
		return err
	}
	if c.o.Indicator {
		ch := newBool(typeIndicator)
		ch.Permissions = append(ch.Permissions, characteristic.PermissionTimedWrite)
		s.AddC(c.mode(ch, modeIndicator).c)
	}
	if c.o.NightVision {
		s.AddC(c.mode(newBool(characteristic.TypeNightVision), modeNightVision).c)
	}
	// The house itself uses the camera whatever Home's switch says, and nothing on the device
	// switches it off.
	third := newFlag(typeThirdParty)
	third.Permissions, third.SetValueRequestFunc = told(), nil
	third.Val = 1
	off := newBool(typeManuallyOff)
	off.Permissions = told()
	s.AddC(third)
	s.AddC(off)
	c.a.AddS(s)
	return nil
}

// switched is called after the owner has set one of the operating modes.
func (c *Camera) switched() {
	c.tellMotion()
	if !c.Active() {
		for _, s := range c.streams {
			s.stop("the camera was switched off in Home")
		}
	}
}

// told are the permissions of what is only told.
func told() []string {
	return []string{characteristic.PermissionRead, characteristic.PermissionEvents}
}

// newFlag is a number that is 0 or 1.
func newFlag(typ string) *characteristic.C {
	c := characteristic.New()
	c.Type, c.Format, c.Val = typ, characteristic.FormatUInt8, 0
	c.MinVal, c.MaxVal, c.StepVal, c.ValidVals = 0, 1, 1, []int{0, 1}
	c.Permissions = append(told(), characteristic.PermissionWrite)
	return c
}

func newBool(typ string) *characteristic.C {
	c := characteristic.New()
	c.Type, c.Format, c.Val = typ, characteristic.FormatBool, false
	c.Permissions = append(told(), characteristic.PermissionWrite)
	return c
}

// newText is a TLV in base64.
func newText(typ, value string, permissions ...string) *characteristic.C {
	c := characteristic.New()
	c.Type, c.Format, c.Val = typ, characteristic.FormatTLV8, value
	c.Permissions = permissions
	return c
}

// answering makes a characteristic's value come from read.
func answering(c *characteristic.C, read func(*http.Request) string) {
	c.ValueRequestFunc = func(r *http.Request) (any, int) { return read(r), statusOK }
}
