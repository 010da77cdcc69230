"""What tests share and is no test: servers, projects, values, faults, and checks of their own."""
