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

// likeness is 1 for equal names and 0 for strangers. Words that both names
// begin or end with say little: of a mesh's services all end in ".local", of
// the variables all begin with "APPMESH_". So half of it is the likeness of
// what differs, unless a word is merely left out ("user-v2" of
// "user-service-v2").
func likeness(a, b string) float64 {
	a, b = strings.ToLower(a), strings.ToLower(b)
	a, b = a[:min(len(a), maxNameLooked)], b[:min(len(b), maxNameLooked)]
	if a == "" || b == "" {
		return 0
	}
	whole := similar(a, b)
	restA, restB := trimCommonWords(a, b)
	if restA == "" || restB == "" {
		return whole
	}
	return (whole + similar(restA, restB)) / 2
}

// similar is twice the longest common subsequence over both lengths, and a
// little more when one text is the other with letters left out.
func similar(a, b string) float64 {
	common := commonSubsequence(a, b)
	score := 2 * float64(common) / float64(len(a)+len(b))
	if common == min(len(a), len(b)) && common > 2 {
		score += 0.1
	}
	return score
}

const wordEnds = "-_./"

// trimCommonWords takes from both names the words that they begin and end with.
func trimCommonWords(a, b string) (string, string) {
	for {
		word, restA, more := cutWord(a)
		other, restB, moreB := cutWord(b)
		if word != other || !more || !moreB {
			break
		}
		a, b = restA, restB
	}
	for {
		i, j := strings.LastIndexAny(a, wordEnds), strings.LastIndexAny(b, wordEnds)
		if a[i+1:] != b[j+1:] {
			return a, b
		}
		a, b = a[:max(i, 0)], b[:max(j, 0)]
		if i < 0 || j < 0 {
			return a, b
		}
	}
}

func cutWord(s string) (word, rest string, more bool) {
	i := strings.IndexAny(s, wordEnds)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
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
