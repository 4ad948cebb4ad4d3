package snapshot

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// saveEvery: the last picture of a camera is written no more often, to be kind to SD cards.
const saveEvery = time.Minute

var fileName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)

// disk has one JPEG a camera, whose time is when it came.
type disk struct{ root *os.Root }

func openDisk(dir string) (*disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &disk{root}, nil
}

func (d *disk) close() { _ = d.root.Close() }

// read gives the picture and when it came.
func (d *disk) read(camera string) ([]byte, time.Time, error) {
	if !fileName.MatchString(camera) {
		return nil, time.Time{}, fs.ErrNotExist
	}
	f, err := d.root.Open(camera + ".jpg")
	if err != nil {
		return nil, time.Time{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, time.Time{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > av.MaxUnit {
		return nil, time.Time{}, fmt.Errorf("%d bytes", info.Size())
	}
	b, err := io.ReadAll(io.LimitReader(f, av.MaxUnit))
	return b, info.ModTime(), err
}

// write replaces the picture as a whole or not at all.
func (d *disk) write(camera string, b []byte, at time.Time) error {
	if !fileName.MatchString(camera) {
		return nil
	}
	name, temp := camera+".jpg", "."+camera+".part"
	f, err := d.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = d.root.Chtimes(temp, at, at)
	}
	if err == nil {
		err = d.root.Rename(temp, name)
	}
	if err != nil {
		_ = d.root.Remove(temp)
	}
	return err
}

func (d *disk) remove(camera string) {
	if fileName.MatchString(camera) {
		_ = d.root.Remove(camera + ".jpg") // it may not be there
	}
}

func (s *Store) save(name string, img Image) {
	if err := s.disk.write(name, img.JPEG, img.Received); err != nil {
		s.log.Warn("snapshot: the last picture is not kept", "camera", name, "err", err)
	}
}

func (s *Store) load(name string) (Image, bool) {
	b, at, err := s.disk.read(name)
	if err != nil {
		return Image{}, false
	}
	img, err := Check(media.Picture{JPEG: b, Taken: at, Received: at})
	if err != nil {
		s.disk.remove(name) // cut off by a fall of power
		return Image{}, false
	}
	img.Way = FromDisk
	return img, true
}
