package main

// trade is what init knows of a trade: words and numbers to begin with.
type trade struct {
	Service     string // as exchanges and rules call it, and the word for --trade
	Title       string
	Hours       []opening
	Leads       int  // a day
	LeadsAnHour int  //
	Homeowner   bool // only owners decide on this work
	Rules       []startingRule
}

type opening struct{ Days, Span string }

// startingRule is a rule with the ping that tries it.
type startingRule struct {
	Name, When string
	Bid        int // dollars for an exclusive lead
	Job        string
	Urgency    string
}

// The hours in which such a business takes calls.
var (
	longHours   = []opening{{"mon-fri", "06:00-21:00"}, {"sat-sun", "07:00-20:00"}}
	officeHours = []opening{{"mon-fri", "08:00-18:00"}, {"sat", "09:00-14:00"}}
)

const (
	isEmergency   = `urgency == "emergency" or job == "emergency"`
	isReplacement = `job in ["install", "replace"]`
)

// trades are the twelve that init knows. The bids are this project's starting points, set between
// public ranges for exclusive leads and rounded to whole dollars: illustrative, and said to be so
// in the file.
var trades = []trade{
	{"hvac", "Heating and cooling", longHours, 12, 3, false, []startingRule{
		{"emergency", isEmergency, 50, "repair", "emergency"},
		{"new system", isReplacement, 70, "replace", "month"},
		{"routine maintenance", `job == "maintain"`, 10, "maintain", "flexible"},
		{"everything else", "", 30, "repair", "week"},
	}},
	{"plumbing", "Plumbing", longHours, 12, 3, false, []startingRule{
		{"emergency", isEmergency, 45, "repair", "emergency"},
		{"installation", isReplacement, 35, "install", "two_weeks"},
		{"everything else", "", 28, "repair", "week"},
	}},
	{"electrical", "Electrical", longHours, 10, 3, false, []startingRule{
		{"emergency", isEmergency, 40, "repair", "emergency"},
		{"installation", isReplacement, 35, "install", "month"},
		{"everything else", "", 26, "repair", "week"},
	}},
	{"roofing", "Roofing", officeHours, 6, 2, true, []startingRule{
		{"whole roof", isReplacement, 85, "replace", "month"},
		{"leak", `job == "repair" and urgency in ["emergency", "asap"]`, 50, "repair", "asap"},
		{"inspection", `job == "inspect"`, 20, "inspect", "flexible"},
		{"everything else", "", 35, "repair", "month"},
	}},
	{"windows", "Window", officeHours, 6, 2, true, []startingRule{
		{"new windows", isReplacement, 55, "replace", "month"},
		{"repair", `job == "repair"`, 20, "repair", "week"},
		{"everything else", "", 30, "unknown", "planning"},
	}},
	{"siding", "Siding", officeHours, 6, 2, true, []startingRule{
		{"new siding", isReplacement, 55, "replace", "month"},
		{"repair", `job == "repair"`, 25, "repair", "week"},
		{"everything else", "", 30, "unknown", "planning"},
	}},
	{"gutters", "Gutter", officeHours, 8, 2, true, []startingRule{
		{"new gutters", isReplacement, 45, "replace", "month"},
		{"cleaning", `job == "maintain"`, 12, "maintain", "two_weeks"},
		{"everything else", "", 25, "repair", "week"},
	}},
	{"solar", "Solar", officeHours, 5, 2, true, []startingRule{
		{"installation on a house", isReplacement + ` and property_type == "single_family"`, 65, "install", "three_months"},
		{"service", `job in ["repair", "maintain", "inspect"]`, 20, "repair", "week"},
		{"everything else", "", 40, "install", "planning"},
	}},
	{"pest", "Pest control", longHours, 15, 4, false, []startingRule{
		{"emergency", isEmergency, 28, "repair", "emergency"},
		{"regular service", `job == "maintain"`, 22, "maintain", "month"},
		{"everything else", "", 18, "unknown", "week"},
	}},
	{"tree", "Tree service", officeHours, 8, 3, false, []startingRule{
		{"storm damage", isEmergency, 40, "repair", "emergency"},
		{"trimming", `job == "maintain"`, 14, "maintain", "month"},
		{"everything else", "", 18, "unknown", "two_weeks"},
	}},
	{"garage_door", "Garage door", longHours, 12, 3, false, []startingRule{
		{"door does not close", isEmergency, 30, "repair", "emergency"},
		{"new door", isReplacement, 35, "replace", "month"},
		{"everything else", "", 18, "repair", "week"},
	}},
	{"handyman", "Handyman", officeHours, 12, 3, false, []startingRule{
		{"urgent", isEmergency + ` or urgency == "asap"`, 20, "repair", "asap"},
		{"installation", isReplacement, 18, "install", "month"},
		{"everything else", "", 14, "repair", "flexible"},
	}},
}
