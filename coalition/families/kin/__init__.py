"""Who stands where: places, guardians, relationships, ages; and what families refuse."""
