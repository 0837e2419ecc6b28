"""What the archive answers: exams and images, imports, archives of others."""
