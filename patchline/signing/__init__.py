"""What people sign on their own machine, away from every database: `patchline exception sign`."""
