# ClawMux on Windows runs inside WSL2, because its agents live in tmux; the page opens in the Windows browser.
# This hands over to install.sh in the same folder, inside the default WSL distribution. It installs nothing itself.
#
#   powershell -ExecutionPolicy Bypass -File install.ps1 --start

function Install-ClawMux {
    param([string[]] $Options)
    Set-StrictMode -Version 2.0
    $ErrorActionPreference = 'Stop'
    if (-not (Get-Command 'wsl.exe' -ErrorAction SilentlyContinue)) {
        Write-Output 'ClawMux needs WSL2. In a terminal run as administrator type: wsl --install'
        Write-Output 'Restart Windows, then run install.ps1 again.'
        return 20
    }
    & wsl.exe --cd $PSScriptRoot -e sh install.sh @Options | Out-Host
    return $LASTEXITCODE
}

exit (Install-ClawMux -Options $args)
