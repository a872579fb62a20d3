"""Networks: one file each with `build(**arguments) -> nn.Module`. Importing one imports torch and MONAI."""
