package lb

import (
	"slices"
	"testing"
)

// script picks what it was told to, in order, and then the last again.
type script struct {
	picks []int
	asked int
}

func (s *script) Pick(c *Context) int {
	if c.Reselection != s.asked {
		panic("Reselection does not count the questions of the attempt")
	}
	i := s.picks[min(s.asked, len(s.picks)-1)]
	s.asked++
	return i
}

func TestSelect(t *testing.T) {
	for _, tt := range []struct {
		name  string
		picks []int
		avoid []int
		want  int
		asked int
	}{
		{"takes the first answer when nothing was tried", []int{3}, nil, 3, 1},
		{"takes the first answer when it was not tried", []int{3}, []int{1, 2}, 3, 1},
		{"asks again for an endpoint that was tried", []int{1, 2, 3}, []int{1, 2}, 3, 3},
		{"asks five times more, not six", []int{1, 1, 1, 1, 1, 1, 2}, []int{1}, 1, 6},
		{"takes the fifth answer of those", []int{1, 1, 1, 1, 1, 2}, []int{1}, 2, 6},
		{"uses the last answer when all were tried", []int{0, 1}, []int{0, 1}, 1, 6},
		{"gives None at once when there is nobody", []int{None}, []int{0}, None, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &script{picks: tt.picks}
			c := &Context{Avoid: tt.avoid, Reselection: 99}
			if got := Select(p, c); got != tt.want || p.asked != tt.asked {
				t.Errorf("Select = %d after %d questions, want %d after %d", got, p.asked, tt.want, tt.asked)
			}
			if !slices.Equal(c.Avoid, tt.avoid) {
				t.Errorf("Avoid became %v", c.Avoid)
			}
		})
	}
}
