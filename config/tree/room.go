package tree

const (
	maxValues = 50_000  // a house of 500 cameras has 6,000
	maxText   = 2 << 20 // bytes
)

// Room is what the files of one configuration may hold together, counted after aliases
// and references were followed: each value costs time in every check that comes later.
type Room struct{ values, text int }

// NewRoom has place for one configuration.
func NewRoom() *Room { return &Room{values: maxValues, text: maxText} }

// Full tells that a file was refused for want of room.
func (r *Room) Full() bool { return r.values < 0 || r.text < 0 }

// Text takes the room of a text that a reference stands for, and tells whether there was
// enough.
func (r *Room) Text(bytes int) bool {
	if bytes > r.text {
		return false
	}
	r.text -= bytes
	return true
}
