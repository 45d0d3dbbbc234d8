package scripttest

import (
	"slices"
	"strings"
	"testing"
)

func TestEnvironmentHasNoFlagsAndKeys(t *testing.T) {
	t.Setenv("PATH", "/some/programs")
	for _, name := range []string{"BIDDER_OUTPUT", "EXCHANGE_CONFIG", "DEMO_FOR", "NORTH_KEY", "CRM_SECRET"} {
		t.Setenv(name, "left over")
	}
	environment := Environment()
	if !slices.Contains(environment, "PATH=/some/programs") {
		t.Errorf("programs are not found: %q", environment)
	}
	for _, variable := range environment {
		if name, value, _ := strings.Cut(variable, "="); value == "left over" {
			t.Errorf("%s is passed on", name)
		}
	}
}
