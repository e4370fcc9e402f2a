package mesh

import "strings"

// maxNameLooked bounds how many characters of a name are compared.
const maxNameLooked = 64

// Nearest is the name most like the given one, or "" when none is near. Of
// equals the first wins.
func Nearest(name string, names []string) string {
	best, bestScore := "", 0.6
	for _, candidate := range names {
		if score := likeness(name, candidate); score > bestScore && candidate != name {
			best, bestScore = candidate, score
		}
	}
	return best
}

// likeness is 1 for equal names and 0 for strangers: twice the longest common
// subsequence over both lengths, and a little more when one name is the other
// with letters left out ("user-v2" of "user-service-v2").
func likeness(a, b string) float64 {
	a, b = strings.ToLower(a), strings.ToLower(b)
	a, b = a[:min(len(a), maxNameLooked)], b[:min(len(b), maxNameLooked)]
	if a == "" || b == "" {
		return 0
	}
	common := commonSubsequence(a, b)
	score := 2 * float64(common) / float64(len(a)+len(b))
	if common == min(len(a), len(b)) && common > 2 {
		score += 0.1
	}
	return score
}

func commonSubsequence(a, b string) int {
	var row [maxNameLooked + 1]int
	for i := range len(a) {
		diagonal := 0
		for j := range len(b) {
			above := row[j+1]
			if a[i] == b[j] {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(above, row[j])
			}
			diagonal = above
		}
	}
	return row[len(b)]
}
