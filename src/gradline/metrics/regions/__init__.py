"""The same with regions for units: windows, superpixels, imputed pixels."""
