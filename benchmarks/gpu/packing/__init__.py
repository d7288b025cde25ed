"""The probe of packed trials: members of one architecture that train as one program."""
