# ClawMux on Windows runs inside WSL2, because its agents live in tmux; the page opens in the Windows browser.
# This looks whether WSL2 is there and hands over to install.sh inside it. It installs nothing itself.
#
#   powershell -ExecutionPolicy Bypass -File install.ps1 --start    beside install.sh
#   irm https://ADDRESS/install.ps1 | iex                           from a release
#   & ([scriptblock]::Create((irm https://ADDRESS/install.ps1))) --start --yes
#
# Only functions until the last lines, so a copy that was cut off on its way runs nothing.

# build/release.py fills these in, the same as in install.sh; in a checkout they are empty.
function Get-ClawMuxRelease {
    $ReleaseUrl = ''
    $ReleaseSha256 = ''
    if ($env:CLAWMUX_BASE_URL -and $ReleaseUrl) {
        $ReleaseUrl = $env:CLAWMUX_BASE_URL.TrimEnd('/') + '/' + $ReleaseUrl.Split('/')[-1]
    }
    return @{
        Url = $ReleaseUrl
        Sha256 = $ReleaseSha256
    }
}

# Write-Host and not Write-Output: what a function writes out is its answer here.
function Write-ClawMuxLine {
    param([string] $Text)
    Write-Host "install.ps1: $Text"
}

# Answers with true when the default distribution is there and of version 2; else it has said what to do.
function Test-ClawMuxWsl {
    if (-not (Get-Command -Name 'wsl.exe' -ErrorAction SilentlyContinue)) {
        Write-ClawMuxLine 'ClawMux needs WSL2, and there is no wsl.exe.'
        Write-ClawMuxLine 'In a terminal run as administrator type: wsl --install'
        Write-ClawMuxLine 'Restart Windows, then run this again.'
        return $false
    }
    $Name = ''
    $Version = ''
    foreach ($Line in @(& wsl.exe -l -v)) {
        # wsl.exe writes UTF-16 and PowerShell reads bytes; only names and numbers matter, for the words are translated.
        $Clean = ([string] $Line).Replace([string] [char] 0, '')
        if ($Clean -match '^\s*\*\s+(\S+)\s.*\s(\d)\s*$') {
            $Name = $Matches[1]
            $Version = $Matches[2]
        }
    }
    if (-not $Name) {
        Write-ClawMuxLine 'WSL is there, but no Linux distribution.'
        Write-ClawMuxLine 'Type: wsl --install -d Ubuntu'
        return $false
    }
    if ($Name -like 'docker-desktop*') {
        Write-ClawMuxLine "the default distribution is $Name, which is not made for programs."
        Write-ClawMuxLine 'Type: wsl --install -d Ubuntu, and then: wsl --set-default Ubuntu'
        return $false
    }
    if ($Version -ne '2') {
        Write-ClawMuxLine "$Name runs under WSL $Version, and ClawMux needs WSL 2."
        Write-ClawMuxLine "Type: wsl --set-version $Name 2"
        return $false
    }
    return $true
}

# install.sh in a folder of Windows, run by the default distribution. Answers with its exit code.
function Invoke-ClawMuxScript {
    param([string] $Folder, [string[]] $Options)
    & wsl.exe --cd $Folder -e sh install.sh @Options | Out-Host
    return $LASTEXITCODE
}

# Fetches the release, checks it, and runs its install.sh.
function Install-ClawMuxRelease {
    param([string[]] $Options)
    $Release = Get-ClawMuxRelease
    if (-not $Release.Url) {
        Write-ClawMuxLine 'this copy belongs to no release, and there is no install.sh beside it.'
        Write-ClawMuxLine 'Run it from a checkout of ClawMux: powershell -ExecutionPolicy Bypass -File install.ps1'
        return 2
    }
    $Folder = Join-Path ([IO.Path]::GetTempPath()) ('clawmux-' + [Guid]::NewGuid().ToString('N'))
    New-Item -ItemType Directory -Path $Folder | Out-Null
    try {
        $Archive = Join-Path $Folder 'clawmux.tar.gz'
        $ProgressPreference = 'SilentlyContinue'
        [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
        Write-ClawMuxLine "fetching $($Release.Url)"
        Invoke-WebRequest -UseBasicParsing -Uri $Release.Url -OutFile $Archive
        $Found = (Get-FileHash -Algorithm SHA256 -Path $Archive).Hash.ToLowerInvariant()
        if ($Found -ne $Release.Sha256) {
            Write-ClawMuxLine "$($Release.Url) is refused: its SHA-256 is $Found, expected was $($Release.Sha256)."
            return 22
        }
        & wsl.exe --cd $Folder -e tar -xzf clawmux.tar.gz '--strip-components=1' | Out-Host
        if ($LASTEXITCODE -ne 0) {
            Write-ClawMuxLine "$($Release.Url) cannot be unpacked."
            return 21
        }
        return Invoke-ClawMuxScript -Folder $Folder -Options $Options
    }
    finally {
        Remove-Item -Recurse -Force -Path $Folder -ErrorAction SilentlyContinue
    }
}

function Install-ClawMux {
    param([string[]] $Options)
    Set-StrictMode -Version 2.0
    $ErrorActionPreference = 'Stop'
    if (-not (Test-ClawMuxWsl)) {
        return 20
    }
    if ($PSScriptRoot -and (Test-Path -Path (Join-Path $PSScriptRoot 'install.sh'))) {
        return Invoke-ClawMuxScript -Folder $PSScriptRoot -Options $Options
    }
    return Install-ClawMuxRelease -Options $Options
}

$ClawMuxExitCode = Install-ClawMux -Options $args
# Under iex there is no file, and exit would close the user's window.
if ($PSCommandPath) {
    exit $ClawMuxExitCode
}
